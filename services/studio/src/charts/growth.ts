/** Live points into a curve that was loaded; pure: a new curve, the old one is left as it is. */

import type { BucketCurve, Columns, Curve, PointCurve, Special } from "./curves";

/** Points of one series, in any order; `values` as JSON has them ("NaN", "Infinity"). */
export type Arrived = { steps: number[]; times: number[]; values: (number | string)[] };

/**
 * The curve with what arrived. A point that is in it already changes nothing.
 *
 * `width` is that of the answer's grid: what arrives falls into the same buckets as if it were
 * loaded anew. Points that belong before the curve's last bucket are left to the next load.
 */
export function extend(
  curve: Curve,
  arrived: Arrived,
  x: "step" | "time",
  width: number | null,
): Curve {
  const special = withSpecial(curve.special, arrived);
  const finite = finiteRows(arrived, x);
  if (curve.kind === "points") return { ...extendPoints(curve, finite, x), special };
  return { ...extendBuckets(curve, finite, x, width ?? 1), special };
}

/** So many of a curve's special values are told; how many more there are, only the next load says. */
const MOST_SPECIAL = 1_000;

type Row = readonly [step: number, time: number, value: number];

const inOrderOf = (x: "step" | "time") => (one: Row, other: Row) =>
  x === "step" ? one[0] - other[0] || one[1] - other[1] : one[1] - other[1] || one[0] - other[0];

function finiteRows(arrived: Arrived, x: "step" | "time"): Row[] {
  const rows: Row[] = [];
  for (const [i, value] of arrived.values.entries()) {
    if (typeof value === "number") rows.push([arrived.steps[i] ?? 0, arrived.times[i] ?? 0, value]);
  }
  return rows.sort(inOrderOf(x));
}

function withSpecial(special: Special, arrived: Arrived): Special {
  const known = new Set(special.steps.map((step, i) => `${step}/${special.times[i] ?? 0}`));
  const grown = { ...special, steps: [...special.steps], times: [...special.times] };
  grown.values = [...special.values];
  for (const [i, value] of arrived.values.entries()) {
    const step = arrived.steps[i] ?? 0;
    const time = arrived.times[i] ?? 0;
    const name = `${step}/${time}`;
    if (typeof value !== "string" || known.has(name)) continue;
    if (grown.steps.length >= MOST_SPECIAL) break;
    known.add(name);
    grown.count += 1;
    grown.steps.push(step);
    grown.times.push(time);
    grown.values.push(value);
  }
  return grown.count === special.count ? special : grown;
}

function extendPoints(curve: PointCurve, arrived: Row[], x: "step" | "time"): PointCurve {
  const compare = inOrderOf(x);
  const known = rowsOf(curve);
  const merged = [...known, ...arrived].sort(compare); // stable: of two alike the known one stays
  const rows = merged.filter((row, i) => {
    const before = merged[i - 1];
    return !before || compare(before, row) !== 0;
  });
  const added = rows.length - known.length;
  if (added === 0) return curve;
  return { ...curve, count: plus(curve.count, added), ...columnsOf(rows) };
}

type Bucket = { low: Row; high: Row; first: Row; last: Row };

function extendBuckets(
  curve: BucketCurve,
  arrived: Row[],
  x: "step" | "time",
  width: number,
): BucketCurve {
  const placeOf = ([step, time]: Row): number => Math.floor((x === "step" ? step : time) / width);
  const compare = inOrderOf(x);
  const buckets = bucketsOf(curve);
  let newest = buckets.at(-1);
  let added = 0;
  for (const row of arrived) {
    if (newest && compare(row, newest.last) <= 0) continue;
    added += 1;
    if (!newest || placeOf(row) > placeOf(newest.last)) {
      newest = { low: row, high: row, first: row, last: row };
      buckets.push(newest);
    } else {
      newest.last = row;
      if (row[2] < newest.low[2]) newest.low = row;
      if (row[2] > newest.high[2]) newest.high = row;
    }
  }
  if (added === 0) return curve;
  return { ...curve, count: plus(curve.count, added), ...bucketColumns(buckets) };
}

function plus(count: number | null, added: number): number | null {
  return count === null ? null : count + added;
}

function bucketsOf({ low, high, first, last }: BucketCurve): Bucket[] {
  return Array.from(last.values, (_, i) => ({
    low: rowOf(low, i),
    high: rowOf(high, i),
    first: rowOf(first, i),
    last: rowOf(last, i),
  }));
}

function bucketColumns(buckets: Bucket[]): Pick<BucketCurve, "low" | "high" | "first" | "last"> {
  return {
    low: columnsOf(buckets.map((bucket) => bucket.low)),
    high: columnsOf(buckets.map((bucket) => bucket.high)),
    first: columnsOf(buckets.map((bucket) => bucket.first)),
    last: columnsOf(buckets.map((bucket) => bucket.last)),
  };
}

function rowsOf(columns: Columns): Row[] {
  return Array.from(columns.values, (_, i) => rowOf(columns, i));
}

function rowOf({ steps, times, values }: Columns, i: number): Row {
  return [steps[i] ?? NaN, times[i] ?? NaN, values[i] ?? NaN];
}

function columnsOf(rows: Row[]): Columns {
  return {
    steps: Float64Array.from(rows, (row) => row[0]),
    times: Float64Array.from(rows, (row) => row[1]),
    values: Float64Array.from(rows, (row) => row[2]),
  };
}
