/** The lines of a console that are here, of the many that there are; pure. */

import type { Schemas } from "../../api/client";
import type { Lines } from "../feed_messages";

export type Line = Schemas["ConsoleLine"];
export type ConsolePage = Schemas["ConsoleWindow"];

export const PAGE = 500;
/** More lines are not kept: those that are far from what is looked at are loaded again. */
const KEPT = 20_000;

export class LineStore {
  total = 0;
  readonly #lines = new Map<number, Line>();
  /** the offset in the log of the newest line that is here; null: before the first */
  #offset: bigint | null = null;

  at(number: number): Line | undefined {
    return this.#lines.get(number);
  }

  get size(): number {
    return this.#lines.size;
  }

  /** Take lines that were loaded. Of the tail, too, where it ends in the log. */
  load(page: ConsolePage, isTail: boolean): void {
    for (const line of page.lines) this.#lines.set(line.number, line);
    this.total = Math.max(this.total, page.total);
    if (isTail && page.cursor !== null) {
      const offset = BigInt(page.cursor.split("-")[0] ?? "0");
      if (this.#offset === null || offset > this.#offset) this.#offset = offset;
    }
  }

  /** Append lines that were pushed, unless they are here; gives back the new ones. */
  append(batch: Lines): Line[] {
    const offset = BigInt(batch.offset);
    if (this.#offset !== null && offset <= this.#offset) return [];
    this.#offset = offset;
    return batch.lines.map((text, i) => {
      const line = {
        number: (this.total += 1),
        attempt: batch.attempt,
        stream: batch.streams[i] ?? "stdout",
        time: new Date((batch.times[i] ?? 0) / 1_000).toISOString(),
        line: text,
      };
      this.#lines.set(line.number, line);
      return line;
    });
  }

  /** The first number of a page to load, so that the lines `from` to before `end` are here; null: they are. */
  missing(from: number, end: number): number | null {
    for (let number = Math.max(1, from); number < Math.min(end, this.total + 1); number += 1) {
      if (!this.#lines.has(number)) return number - ((number - 1) % PAGE);
    }
    return null;
  }

  /** Let go of lines far from `number`, if there are too many. */
  forget(number: number): void {
    if (this.#lines.size <= KEPT) return;
    for (const known of this.#lines.keys()) {
      if (Math.abs(known - number) > KEPT / 4 && known <= this.total - PAGE) {
        this.#lines.delete(known);
      }
    }
  }

  /** Begin anew: what is here may be another attempt's, or have holes. */
  clear(): void {
    this.total = 0;
    this.#offset = null;
    this.#lines.clear();
  }
}
