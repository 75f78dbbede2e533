/** The rows of a long table that are here: whole pages, and never more than some; pure. */

export const PAGE_ROWS = 100;
/** So many rows stay in memory, however far one scrolls. */
export const MOST_PAGES = 30;

/** So near to the edge of its pages, somebody who goes on will soon see the next one. */
const NEAR_ROWS = 50;

/** The pages with the rows [first, end), and one more if one comes near to it. */
export function wantedPages(
  rows: { first: number; end: number },
  total: number,
  direction: 1 | -1,
): number[] {
  if (total <= 0 || rows.end <= rows.first) return [];
  const [first, last] = [pageOf(rows.first), pageOf(Math.min(rows.end, total) - 1)];
  const seen = Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
  const ahead = direction > 0 ? last + 1 : first - 1;
  const left = direction > 0 ? ahead * PAGE_ROWS - rows.end : rows.first - first * PAGE_ROWS;
  if (left > NEAR_ROWS) return seen;
  return ahead >= 0 && ahead <= pageOf(total - 1) ? [...seen, ahead] : seen;
}

export function pageOf(index: number): number {
  return Math.floor(index / PAGE_ROWS);
}

export class RowCache<Row extends { run_id: string }> {
  /** The page used longest ago comes first. */
  readonly #pages = new Map<number, readonly Row[]>();

  get size(): number {
    return this.#pages.size;
  }

  row(index: number): Row | undefined {
    return this.#pages.get(pageOf(index))?.[index % PAGE_ROWS];
  }

  has(page: number): boolean {
    return this.#pages.has(page);
  }

  put(page: number, rows: readonly Row[]): void {
    this.#pages.delete(page);
    this.#pages.set(page, rows);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= MOST_PAGES) break;
      this.#pages.delete(oldest);
    }
  }

  /** These pages are looked at: they are not the next to go. */
  use(pages: readonly number[]): void {
    for (const page of pages) {
      const rows = this.#pages.get(page);
      if (rows) this.put(page, rows);
    }
  }

  drop(page: number): void {
    this.#pages.delete(page);
  }

  /** The pages with at least one of these runs. */
  pagesWith(runIds: ReadonlySet<string>): number[] {
    return [...this.#pages]
      .filter(([, rows]) => rows.some((row) => runIds.has(row.run_id)))
      .map(([page]) => page);
  }

  /** All rows that are here. */
  rows(): Row[] {
    return [...this.#pages.values()].flat();
  }
}
