/** What a chart says about one place on x; pure. */

import type { Curve } from "./curves";
import { nearest, type Shape } from "./shape";

/** A curve's value near an x; `low` and `high` where it stands for many points. */
export type Reading = {
  x: number;
  step: number;
  time: number;
  value: number;
  low: number | null;
  high: number | null;
};

/** The row nearest to `x`; null: the curve is empty. */
export function readAt(curve: Curve, shape: Shape, x: number): Reading | null {
  const row = nearest(shape.x, x);
  if (row < 0) return null;
  const columns = curve.kind === "points" ? curve : curve.last;
  return {
    x: shape.x[row] ?? NaN,
    step: columns.steps[row] ?? NaN,
    time: columns.times[row] ?? NaN,
    value: shape.y[row] ?? NaN,
    low: shape.low?.[row] ?? null,
    high: shape.high?.[row] ?? null,
  };
}

/** A curve in five figures, for who reads the table instead of the chart; null: not known any more. */
export type Summary = {
  first: number | null;
  last: number;
  low: number;
  high: number;
  points: number | null;
};

export function summaryOf(curve: Curve): Summary | null {
  const [first, last, low, high] =
    curve.kind === "points"
      ? [curve.values, curve.values, curve.values, curve.values]
      : [curve.first.values, curve.last.values, curve.low.values, curve.high.values];
  if (last.length === 0) return null;
  return {
    first: curve.kind === "buckets" && curve.isCoarse ? null : (first[0] ?? NaN),
    last: last.at(-1) ?? NaN,
    low: low.reduce((one, other) => Math.min(one, other)),
    high: high.reduce((one, other) => Math.max(one, other)),
    points: curve.count,
  };
}
