/**
 * The rows of the Runs page: asked for by windows, kept in one order while somebody looks at them.
 *
 * What is shown stays until what replaces it is here. Runs that change do so where they stand; new
 * runs are counted, and shown when the table is asked for anew.
 */

import { mergeWatermarks } from "../api/watermarks";
import { isTerminal } from "../design/status";
import type { Cell, RunRow } from "./cells";
import type { Batch } from "./follow_runs";
import { hasMoved, orderOf, type Places } from "./order";
import { type Question, readTable, type TableAnswer } from "./reads";
import { PAGE_ROWS, pageOf, RowCache, wantedPages } from "./row_cache";

export type Opened = { workspace: string; experiment: string | null; at: Date | null };

/** While one scrolls fast, rows are asked for so often and not with every frame. */
const SCROLL_MS = 70;

export class RunTable {
  /** null: not known yet */
  total = $state<number | null>(null);
  /** runs that would be in the table, and were created since it was made */
  newer = $state(0);
  isBusy = $state(false);
  failure = $state.raw<unknown>(null);
  /** what the rows are sorted or filtered by has changed since */
  isOutOfOrder = $state(false);
  /** counts the orders: with a new one the table begins at its top */
  order = $state(0);
  /** of which runs the first rows are here; what becomes of them since `at` is not known yet */
  opened = $state.raw<Opened | null>(null);

  /** the ids of the runs that are seen and go on, joined: the same text is the same runs */
  readonly going = $derived(this.#going());

  readonly #onRows: (rows: readonly RunRow[]) => void;
  #cache = new RowCache<RunRow>();
  /** read by whoever draws rows, counted up when rows are others */
  #version = $state(0);
  #question: Question | null = null;
  #wanted: Question | null = null;
  #next: Question | null = null;
  #places: Places = new Map();
  #asOf: string | null = null;
  #seen = $state.raw({ first: 0, end: 1 });
  #direction: 1 | -1 = 1;
  readonly #loading = new Map<number, AbortController>();
  #beginning: AbortController | null = null;
  /** every read sees all that was told before it: one that is let go may have been for the last of it */
  #watermarks: readonly string[] = [];
  #batches = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onRows: (rows: readonly RunRow[]) => void) {
    this.#onRows = onRows;
  }

  /** The row at a place; undefined: it is on its way. */
  row(index: number): RunRow | undefined {
    return this.#version >= 0 ? this.#cache.row(index) : undefined;
  }

  /** What a row has in a column; undefined: it is on its way. */
  value(row: RunRow, columnId: string): Cell | undefined {
    const place = this.#places.get(columnId);
    return place === undefined ? undefined : row.values[place];
  }

  /** Show this; what is here already is not asked for again. */
  show(question: Question): void {
    const now = this.#wanted;
    const isSameOrder = now !== null && orderOf(now) === orderOf(question);
    this.#next = null;
    if (isSameOrder && question.columns.every((id) => now.columns.includes(id))) return;
    // The order that is being made is made for these columns too.
    if (isSameOrder && this.#beginning) this.#next = question;
    else void this.#begin(question, isSameOrder ? this.#asOf : null);
  }

  /** Read what could not be read; until it is read, the failure stays. */
  retry(question: Question): void {
    this.show(question);
    this.#fill();
    const isReading = this.#beginning !== null || this.#loading.size > 0;
    if (!isReading) this.failure = null; // what failed is not looked at any more
  }

  /** Ask for all of it anew, new runs included, from the top. */
  async renew(): Promise<void> {
    if (this.#wanted) await this.#begin(this.#wanted, null);
  }

  /** These rows are drawn now. */
  look(rows: { first: number; end: number }): void {
    if (rows.first !== this.#seen.first) this.#direction = rows.first > this.#seen.first ? 1 : -1;
    this.#seen = rows;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#fill();
    }, SCROLL_MS);
  }

  /** Rows that are here, from one place to another. */
  rows(first: number, end: number): RunRow[] {
    const rows: RunRow[] = [];
    for (let index = first; index < end; index += 1) {
      const row = this.row(index);
      if (row) rows.push(row);
    }
    return rows;
  }

  #going(): string {
    const { first, end } = this.#seen;
    const going = this.rows(first, end).filter(({ status }) => !isTerminal(status));
    return going
      .map(({ run_id }) => run_id)
      .sort()
      .join();
  }

  /** The first runs of the table, at most so many, whether their rows are here or not. */
  async head(limit: number): Promise<RunRow[]> {
    if (!this.#question) return [];
    const window = { offset: 0, limit, asOf: this.#asOf, watermarks: this.#watermarks };
    return (await readTable({ ...this.#question, columns: [] }, window)).rows;
  }

  /** Take over what became of runs, where they stand. */
  async take(batch: Batch): Promise<void> {
    this.#watermarks = mergeWatermarks(this.#watermarks, batch.watermarks);
    this.#batches += 1;
    const seen = wantedPages(this.#seen, this.total ?? 0, this.#direction);
    const changed = this.#cache.pagesWith(batch.runIds);
    for (const page of changed) if (!seen.includes(page)) this.#cache.drop(page);
    const again = changed.filter((page) => seen.includes(page));
    await Promise.all(again.map((page) => this.#load(page)));
    if (batch.hasNew && again.length === 0) await this.#count();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#beginning?.abort();
    this.#abortLoading();
  }

  async #begin(question: Question, asOf: string | null): Promise<void> {
    this.#wanted = question;
    this.#beginning?.abort();
    const abort = (this.#beginning = new AbortController());
    this.isBusy = asOf === null;
    const batches = this.#batches;
    try {
      const page = asOf === null ? 0 : pageOf(this.#seen.first);
      const answer = await this.#read(question, page, asOf, abort.signal);
      const places = new Map(question.columns.map((id, place) => [id, place]));
      this.#abortLoading();
      if (asOf !== null) this.#noticeOrder(page, answer.rows, places);
      [this.#question, this.#places] = [question, places];
      this.#cache = new RowCache();
      this.#asOf = answer.as_of;
      if (asOf === null) {
        this.#seen = { first: 0, end: Math.max(1, this.#seen.end - this.#seen.first) };
        this.isOutOfOrder = false;
        this.order += 1;
      }
      this.#put(page, answer);
      this.#open(question, answer.at);
      // What was told meanwhile may not be in it, and its own reads were let go.
      if (batches !== this.#batches) void this.#load(page);
      this.#fill();
    } catch (error) {
      if (abort.signal.aborted) return;
      this.failure = error;
      this.#wanted = this.#question;
    }
    this.isBusy = false;
    this.#beginning = null;
    if (this.#next) this.show(this.#next);
  }

  #open({ workspace, experiment }: Question, at: Date | null): void {
    const before = this.opened;
    if (before?.workspace === workspace && before.experiment === experiment) return;
    this.opened = { workspace, experiment, at };
  }

  #fill(): void {
    if (!this.#question || this.total === null) return;
    const wanted = wantedPages(this.#seen, this.total, this.#direction);
    this.#cache.use(wanted);
    for (const [page, abort] of this.#loading) if (!wanted.includes(page)) abort.abort();
    for (const page of wanted) {
      if (!this.#cache.has(page) && !this.#loading.has(page)) void this.#load(page);
    }
  }

  async #load(page: number): Promise<void> {
    if (!this.#question) return;
    this.#loading.get(page)?.abort();
    const abort = new AbortController();
    this.#loading.set(page, abort);
    try {
      this.#put(page, await this.#read(this.#question, page, this.#asOf, abort.signal));
    } catch (error) {
      if (!abort.signal.aborted) this.failure = error;
    } finally {
      if (this.#loading.get(page) === abort) this.#loading.delete(page);
    }
  }

  async #count(): Promise<void> {
    if (!this.#question) return;
    const window = { offset: 0, limit: 0, asOf: this.#asOf, watermarks: this.#watermarks };
    const answer = await readTable({ ...this.#question, columns: [] }, window).catch(() => null);
    if (!answer) return; // the next batch counts again
    if (answer.as_of !== this.#asOf) return;
    this.newer = answer.newer;
    // In an empty table nothing can jump.
    if (this.total === 0 && answer.newer > 0) await this.renew();
  }

  async #read(
    question: Question,
    page: number,
    asOf: string | null,
    signal: AbortSignal,
  ): Promise<TableAnswer> {
    const watermarks = this.#watermarks;
    const window = { offset: page * PAGE_ROWS, limit: PAGE_ROWS, asOf, watermarks, signal };
    return readTable(question, window);
  }

  #put(page: number, answer: TableAnswer): void {
    this.#noticeOrder(page, answer.rows);
    this.#cache.put(page, answer.rows);
    this.total = answer.total;
    this.newer = answer.newer;
    this.failure = null;
    this.#version += 1;
    this.#onRows(answer.rows);
  }

  /** Whether a row that was here would stand elsewhere now. */
  #noticeOrder(page: number, rows: readonly RunRow[], places = this.#places): void {
    const question = this.#question;
    if (question === null || this.isOutOfOrder) return;
    this.isOutOfOrder = rows.some((row, place) => {
      const before = this.#cache.row(page * PAGE_ROWS + place);
      if (before?.run_id !== row.run_id) return false; // one has left for good: another is here
      return hasMoved({ row: before, places: this.#places }, { row, places }, question);
    });
  }

  #abortLoading(): void {
    for (const abort of this.#loading.values()) abort.abort();
    this.#loading.clear();
  }
}
