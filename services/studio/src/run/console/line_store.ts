/** The lines of a console that are here, of the many that there are; pure. */

import type { Schemas } from "../../api/client";
import type { Lines } from "../feed_messages";

export type Line = Schemas["ConsoleLine"];
export type ConsolePage = Schemas["ConsoleWindow"];
export const STREAMS = ["stdout", "stderr", "system"] as const;
export type Stream = (typeof STREAMS)[number];

/** Which lines are shown; null: of all streams, of all attempts. */
export type LineFilter = { stream: Stream | null; attempt: number | null };

export const EVERY_LINE: LineFilter = { stream: null, attempt: null };
export const PAGE = 500;
/** More lines are not kept: those that are far from what is looked at are loaded again. */
const KEPT = 20_000;

/** The filter that a query names: `stream=stderr&attempt=2`. */
export function readFilter(query: URLSearchParams): LineFilter {
  const [wanted, attempt] = [query.get("stream"), Number(query.get("attempt"))];
  const stream = STREAMS.find((one) => one === wanted) ?? null;
  return { stream, attempt: Number.isInteger(attempt) && attempt > 0 ? attempt : null };
}

/** Lines by their places, from 1, among those that the filter admits. */
export class LineStore {
  /** how many the filter admits */
  total = 0;
  filter: LineFilter = EVERY_LINE;
  readonly #lines = new Map<number, Line>();
  /** how many the run has written */
  #written = 0;
  /** the offset in the log of the newest line that is known; null: before the first */
  #offset: bigint | null = null;

  at(place: number): Line | undefined {
    return this.#lines.get(place);
  }

  get size(): number {
    return this.#lines.size;
  }

  /** Take lines that were loaded. Of the tail, too, where it ends in the log. */
  load(page: ConsolePage, isTail: boolean): void {
    for (const line of page.lines) this.#lines.set(line.place, line);
    this.total = Math.max(this.total, page.admitted);
    this.#written = Math.max(this.#written, page.total);
    if (isTail && page.cursor !== null) {
      const offset = BigInt(page.cursor.split("-")[0] ?? "0");
      if (this.#offset === null || offset > this.#offset) this.#offset = offset;
    }
  }

  /** Append lines that were pushed, unless they are here; gives back the new ones that are shown. */
  append(batch: Lines): Line[] {
    const offset = BigInt(batch.offset);
    if (this.#offset !== null && offset <= this.#offset) return [];
    this.#offset = offset;
    const shown: Line[] = [];
    for (const [i, text] of batch.lines.entries()) {
      this.#written += 1;
      const stream = batch.streams[i] ?? "stdout";
      if (!this.#admits(stream, batch.attempt)) continue;
      const line = {
        number: this.#written,
        place: (this.total += 1),
        attempt: batch.attempt,
        stream,
        time: new Date((batch.times[i] ?? 0) / 1_000).toISOString(),
        line: text,
      };
      this.#lines.set(line.place, line);
      shown.push(line);
    }
    return shown;
  }

  #admits(stream: string, attempt: number): boolean {
    const { filter } = this;
    if (filter.stream !== null && filter.stream !== stream) return false;
    return filter.attempt === null || filter.attempt === attempt;
  }

  /** The first place of a page to load, so that the lines `from` to before `end` are here; null: they are. */
  missing(from: number, end: number): number | null {
    for (let place = Math.max(1, from); place < Math.min(end, this.total + 1); place += 1) {
      if (!this.#lines.has(place)) return place - ((place - 1) % PAGE);
    }
    return null;
  }

  /** Let go of lines far from `place`, if there are too many; tells whether there were. */
  forget(place: number): boolean {
    if (this.#lines.size <= KEPT) return false;
    for (const known of this.#lines.keys()) {
      if (Math.abs(known - place) > KEPT / 4 && known <= this.total - PAGE) {
        this.#lines.delete(known);
      }
    }
    return true;
  }

  /** Begin anew: what is here may have holes, or is not what this filter admits. */
  clear(filter: LineFilter): void {
    this.filter = filter;
    this.total = 0;
    this.#written = 0;
    this.#offset = null;
    this.#lines.clear();
  }
}
