/** From a curve to what is drawn: x and y of the line, the band around it, marks and breaks; pure. */

import type { Columns, Curve } from "./curves";

/** What is along x: the step, the time of day, or the time since each curve's `origin`. */
export type Along = "step" | "time" | "elapsed";

/** `x` in steps or in seconds; `low` and `high` are the band, where points were gathered. */
export type Shape = {
  x: Float64Array;
  y: Float64Array;
  low: Float64Array | null;
  high: Float64Array | null;
  marks: Mark[];
};

/** A value that no axis has, at its place on x. */
export type Mark = { x: number; value: string };

const MICROSECONDS = 1e6;

/** Where a step or a time (µs) lies on x. */
export function placeOf(along: Along, step: number, time: number, origin: number): number {
  if (along === "step") return step;
  return (along === "time" ? time : time - origin) / MICROSECONDS;
}

/** What to draw of a curve; `origin` (µs) is where its elapsed time begins. */
export function shapeOf(curve: Curve, along: Along, origin = 0): Shape {
  const marks = curve.special.values.map((value, i) => ({
    x: placeOf(along, curve.special.steps[i] ?? 0, curve.special.times[i] ?? 0, origin),
    value,
  }));
  marks.sort((one, other) => one.x - other.x);
  if (curve.kind === "points") {
    return { x: places(curve, along, origin), y: curve.values, low: null, high: null, marks };
  }
  return {
    x: places(curve.last, along, origin),
    y: curve.last.values,
    low: curve.low.values,
    high: curve.high.values,
    marks,
  };
}

function places(columns: Columns, along: Along, origin: number): Float64Array {
  if (along === "step") return columns.steps;
  return columns.times.map((time) => placeOf(along, 0, time, origin));
}

/**
 * Values smoothed by a moving average whose weights fall by the factor `weight` (0 to below 1) a
 * row; the beginning is not pulled towards zero. 0 gives the values back. What is no number is passed
 * over and stays.
 */
export function smooth(values: Float64Array, weight: number): Float64Array {
  if (weight <= 0) return values;
  let sum = 0;
  let weights = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    sum = sum * weight + value;
    weights = weights * weight + 1;
    return sum / weights;
  });
}

/** The first row whose x is not below `x`. */
export function firstFrom(xs: Float64Array, x: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((xs[middle] ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The row that is nearest to `x`; -1: there is none. */
export function nearest(xs: Float64Array, x: number): number {
  const after = firstFrom(xs, x);
  if (after === xs.length) return xs.length - 1;
  if (after === 0) return 0;
  return x - (xs[after - 1] ?? 0) < (xs[after] ?? 0) - x ? after - 1 : after;
}
