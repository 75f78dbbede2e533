import { describe, expect, it } from "vitest";
import { type BucketCurve, type Columns, NOTHING_SPECIAL, type PointCurve } from "./curves";
import { extend } from "./growth";

type Row = [step: number, value: number];

const columns = (rows: Row[]): Columns => ({
  steps: Float64Array.from(rows, ([step]) => step),
  times: Float64Array.from(rows, ([step]) => step * 10),
  values: Float64Array.from(rows, ([, value]) => value),
});

const points = (rows: Row[]): PointCurve => ({
  runId: "r",
  key: "loss",
  attempt: null,
  count: rows.length,
  special: NOTHING_SPECIAL,
  kind: "points",
  ...columns(rows),
});

/** The buckets that a load would give: the oracle for what growth has to make. */
function gathered(rows: Row[], width: number): BucketCurve {
  const groups = Map.groupBy(rows, ([step]) => Math.floor(step / width));
  const extreme = (better: (one: number, other: number) => boolean): Row[] =>
    [...groups.values()].map((group) =>
      group.reduce((best, row) => (better(row[1], best[1]) ? row : best)),
    );
  return {
    runId: "r",
    key: "loss",
    attempt: null,
    count: rows.length,
    special: NOTHING_SPECIAL,
    kind: "buckets",
    isCoarse: false,
    low: columns(extreme((one, other) => one < other)),
    high: columns(extreme((one, other) => one > other)),
    first: columns([...groups.values()].flatMap((group) => group.slice(0, 1))),
    last: columns([...groups.values()].flatMap((group) => group.slice(-1))),
  };
}

const arrived = (rows: Row[]): { steps: number[]; times: number[]; values: number[] } => ({
  steps: rows.map(([step]) => step),
  times: rows.map(([step]) => step * 10),
  values: rows.map(([, value]) => value),
});

const SERIES: Row[] = Array.from({ length: 60 }, (_, i) => [i * 3, Math.sin(i * 1.7)]);

describe("a curve that grows", () => {
  it.each([0, 1, 17, 59])("by points has what one load would have, after %d of them", (known) => {
    const grown = extend(
      points(SERIES.slice(0, known)),
      arrived(SERIES.slice(known)),
      "step",
      null,
    );
    expect(grown).toEqual(points(SERIES));
  });

  it.each([1, 17, 59])("by buckets has what one load would have, after %d points", (known) => {
    const grown = extend(
      gathered(SERIES.slice(0, known), 20),
      arrived(SERIES.slice(known)),
      "step",
      20,
    );
    expect(grown).toEqual(gathered(SERIES, 20));
  });

  it("does not feel what comes twice, in any order", () => {
    const twice = [...SERIES.slice(40), ...SERIES.slice(30)].reverse();
    expect(extend(points(SERIES.slice(0, 40)), arrived(twice), "step", null)).toEqual(
      points(SERIES),
    );
    const again = extend(gathered(SERIES, 20), arrived(SERIES), "step", 20);
    expect(again).toEqual(gathered(SERIES, 20));
  });

  it("keeps what no axis has apart, each once", () => {
    const strange = { steps: [5, 5, 6], times: [50, 50, 60], values: ["NaN", "NaN", "Infinity"] };
    const once = extend(points([]), strange, "step", null);
    expect(once.special.count).toBe(2);
    expect(extend(once, strange, "step", null).special).toEqual(once.special);
    expect(once.count).toBe(0);
  });

  it("tells no more than the first of very many that no axis has", () => {
    const steps = Array.from({ length: 3_000 }, (_, step) => step);
    const many = { steps, times: steps, values: steps.map(() => "NaN") };
    const grown = extend(extend(points([]), many, "step", null), many, "step", null);
    expect(grown.special.steps).toEqual(steps.slice(0, 1_000));
    expect(grown.special.values).toHaveLength(1_000);
  });

  it("does not know how many points it has, once some have expired", () => {
    const coarse: BucketCurve = {
      ...gathered(SERIES.slice(0, 30), 20),
      isCoarse: true,
      count: null,
    };
    const grown = extend(coarse, arrived(SERIES), "step", 20);
    expect(grown).toEqual({ ...gathered(SERIES, 20), isCoarse: true, count: null });
  });

  it("leaves the curve that it had as it was", () => {
    const before = points(SERIES.slice(0, 3));
    extend(before, arrived(SERIES), "step", null);
    expect(before).toEqual(points(SERIES.slice(0, 3)));
  });
});
