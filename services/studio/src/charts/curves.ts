/** Curves as `GET /curves` sends them: a JSON header, then columns of float64; pure. */

/** Values that no axis has: shown as marks, and where they lie the line is broken. */
export type Special = { count: number; steps: number[]; times: number[]; values: string[] };

type Common = {
  runId: string;
  key: string;
  /** one attempt alone; null: the latest of all, each from its own first step on */
  attempt: number | null;
  /** finite points in the range, before they were gathered into buckets; null: some have expired */
  count: number | null;
  special: Special;
};

export type Columns = { steps: Float64Array; times: Float64Array; values: Float64Array };

/** The true points, in order of x. */
export type PointCurve = Common & { kind: "points" } & Columns;

/**
 * Buckets of one grid, in order of x; extremes are exact, with their own step and time. A coarse one
 * is of points that have expired: NaN stands for what is not known of it any more.
 */
export type BucketCurve = Common & {
  kind: "buckets";
  isCoarse: boolean;
  low: Columns;
  high: Columns;
  first: Columns;
  last: Columns;
};

export type Curve = PointCurve | BucketCurve;

/** An answer: curves, and the width of the buckets' grid (steps or µs) if there are any. */
export type CurveSet = { x: "step" | "time"; width: number | null; curves: Curve[] };

export const NOTHING_SPECIAL: Special = { count: 0, steps: [], times: [], values: [] };

type Header = {
  x: "step" | "time";
  width: number | null;
  curves: {
    run_id: string;
    key: string;
    attempt: number | null;
    kind: "points" | "buckets" | "coarse";
    count: number | null;
    at: number;
    rows: number;
    columns: string[];
    special: Special;
  }[];
};

/** Take an answer apart. The columns stay where they are: nothing is copied. */
export function decodeCurves(buffer: ArrayBuffer): CurveSet {
  const length = new DataView(buffer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  const header = JSON.parse(text) as Header;
  const numbers = new Float64Array(buffer, 4 + length);
  return {
    x: header.x,
    width: header.width,
    curves: header.curves.map((curve) => decodeCurve(curve, numbers)),
  };
}

function decodeCurve(curve: Header["curves"][number], numbers: Float64Array): Curve {
  const column = (name: string): Float64Array => {
    const place = curve.columns.indexOf(name);
    if (place < 0) throw new Error(`The curve of ${curve.key} has no column ${name}.`);
    const begin = curve.at + place * curve.rows;
    return numbers.subarray(begin, begin + curve.rows);
  };
  const columns = (prefix: string): Columns => ({
    steps: column(`${prefix}step`),
    times: column(`${prefix}time`),
    values: column(`${prefix}value`),
  });
  const { run_id: runId, key, attempt, count, special } = curve;
  const common = { runId, key, attempt, count, special };
  if (curve.kind === "points") return { ...common, kind: "points", ...columns("") };
  if (curve.kind === "coarse") {
    const unknown = new Float64Array(curve.rows).fill(NaN);
    const extreme = (name: string): Columns => ({
      steps: unknown,
      times: unknown,
      values: column(name),
    });
    return {
      ...common,
      kind: "buckets",
      isCoarse: true,
      low: extreme("min_value"),
      high: extreme("max_value"),
      first: { steps: column("first_step"), times: unknown, values: unknown },
      last: columns("last_"),
    };
  }
  return {
    ...common,
    kind: "buckets",
    isCoarse: false,
    low: columns("min_"),
    high: columns("max_"),
    first: columns("first_"),
    last: columns("last_"),
  };
}
