/** What part of the plane a chart shows; pure. */

import { firstFrom, type Shape } from "./shape";

export type Range = { from: number; to: number };

/** From the first to the last x of all shapes; null: nothing has an x. */
export function xRange(shapes: readonly Shape[]): Range | null {
  let from = Infinity;
  let to = -Infinity;
  for (const { x, marks } of shapes) {
    for (const end of [x[0], x.at(-1), marks[0]?.x, marks.at(-1)?.x]) {
      if (end === undefined) continue;
      from = Math.min(from, end);
      to = Math.max(to, end);
    }
  }
  return from <= to ? { from, to } : null;
}

/**
 * The values within `seen`, one row beyond it on both sides, because lines lead there; null: none.
 * On a logarithmic axis only what is above 0 counts.
 */
export function yRange(shapes: readonly Shape[], seen: Range, isLog: boolean): Range | null {
  let from = Infinity;
  let to = -Infinity;
  for (const { x, y, low, high } of shapes) {
    const begin = Math.max(0, firstFrom(x, seen.from) - 1);
    const end = Math.min(x.length, firstFrom(x, seen.to) + 1);
    for (let row = begin; row < end; row += 1) {
      for (const value of [(low ?? y)[row] ?? NaN, (high ?? y)[row] ?? NaN]) {
        if (isLog && value <= 0) continue;
        if (value < from) from = value;
        if (value > to) to = value;
      }
    }
  }
  return from <= to ? { from, to } : null;
}

/** The range with some air around it, and never empty. */
export function padded({ from, to }: Range, isLog: boolean, air = 0.06): Range {
  if (isLog) {
    const factor = from === to ? 2 : (to / from) ** air;
    return { from: from / factor, to: to * factor };
  }
  const space = from === to ? Math.abs(from) * 0.1 || 1 : (to - from) * air;
  return { from: from - space, to: to + space };
}

/** The range around `centre`, larger or smaller by `factor`, and not beyond `whole`. */
export function zoomed(seen: Range, centre: number, factor: number, whole: Range): Range | null {
  const from = Math.max(whole.from, centre - (centre - seen.from) * factor);
  const to = Math.min(whole.to, centre + (seen.to - centre) * factor);
  return from <= whole.from && to >= whole.to ? null : { from, to };
}

/**
 * The range as an axis can show it: it needs some width, and a logarithmic one begins above 0, at
 * the first x that does.
 */
export function drawable({ from, to }: Range, shapes: readonly Shape[], isLog: boolean): Range {
  const begin = isLog && from <= 0 ? firstAbove0(shapes) : from;
  return to > begin ? { from: begin, to } : padded({ from: begin, to: begin }, isLog);
}

function firstAbove0(shapes: readonly Shape[]): number {
  const firsts = shapes.map(({ x }) => x.find((place) => place > 0) ?? Infinity);
  const first = Math.min(...firsts);
  return Number.isFinite(first) ? first : 1;
}
