/**
 * The style with which a line begins: as in a terminal, the one in which the line before it ended,
 * of the same stream and attempt. Known as far back as lines are here. Pure.
 */

import { parseAnsi, PLAIN, type Style } from "./ansi";
import type { Line } from "./line_store";

type Lines = { at: (place: number) => Line | undefined };

/** Nobody leaves a colour on for longer; it bounds what a line without a predecessor costs. */
const REACH = 2_000;

export class CarriedStyles {
  readonly #lines: Lines;
  /** by place: the style that a line leaves to the next */
  readonly #after = new Map<number, Style>();

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  /** The style in which the line at this place begins. */
  before(place: number): Style {
    const line = this.#lines.at(place);
    if (!line) return PLAIN;
    const unknown: [number, Line][] = [];
    let style = PLAIN;
    for (let at = place - 1; at >= Math.max(1, place - REACH); at -= 1) {
      const other = this.#lines.at(at);
      if (!other) break;
      if (other.stream !== line.stream || other.attempt !== line.attempt) continue;
      const known = this.#after.get(at);
      if (known) {
        style = known;
        break;
      }
      unknown.push([at, other]);
    }
    for (const [at, other] of unknown.reverse()) {
      style = parseAnsi(other.line, style).after;
      this.#after.set(at, style);
    }
    return style;
  }

  /** Lines have come before those that are known, or instead of them. */
  forget(): void {
    this.#after.clear();
  }
}
