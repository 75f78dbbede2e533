import { describe, expect, it } from "vitest";
import { decodeCurves } from "./curves";
import { summaryOf } from "./readout";

/** An answer as the gateway writes it: length, header padded to a multiple of 8, columns. */
function encode(header: object, columns: number[]): ArrayBuffer {
  const text = JSON.stringify(header);
  const length = Math.ceil((4 + new TextEncoder().encode(text).length) / 8) * 8 - 4;
  const buffer = new ArrayBuffer(4 + length + 8 * columns.length);
  const bytes = new Uint8Array(buffer).fill(32);
  bytes.set(new TextEncoder().encode(text), 4);
  new DataView(buffer).setUint32(0, length, true);
  new Float64Array(buffer, 4 + length).set(columns);
  return buffer;
}

const special = { count: 1, steps: [2], times: [20], values: ["NaN"] };

describe("curves from the wire", () => {
  it("say what is left of points that have expired, and what is not known", () => {
    const columns = [
      "first_step",
      "min_value",
      "max_value",
      "last_step",
      "last_time",
      "last_value",
    ];
    const curve = { run_id: "a", key: "loss", attempt: null, kind: "coarse", count: null, at: 0, rows: 1, columns, special }; // prettier-ignore
    const [coarse] = decodeCurves(
      encode({ x: "step", width: 1, curves: [curve] }, [0, -1, 7, 999, 9_990, 3]),
    ).curves;
    if (coarse?.kind !== "buckets") throw new Error("a coarse curve has buckets");
    expect(coarse).toMatchObject({ isCoarse: true, count: null });
    expect([coarse.low.values[0], coarse.low.steps[0]]).toEqual([-1, NaN]);
    expect([coarse.high.values[0], coarse.first.steps[0]]).toEqual([7, 0]);
    expect([coarse.last.steps[0], coarse.last.times[0], coarse.last.values[0]]).toEqual([
      999, 9_990, 3,
    ]);
    expect(summaryOf(coarse)).toEqual({ first: null, last: 3, low: -1, high: 7, points: null });
  });

  it("are the columns that the header names", () => {
    const buckets = ["min", "max", "first", "last"].flatMap((name) =>
      ["step", "time", "value"].map((column) => `${name}_${column}`),
    );
    const set = decodeCurves(
      encode(
        {
          x: "step",
          width: 10,
          curves: [
            {
              run_id: "a",
              key: "ü/<b>",
              attempt: null,
              kind: "points",
              count: 2,
              at: 0,
              rows: 2,
              columns: ["step", "time", "value"],
              special,
            },
            {
              run_id: "b",
              key: "loss",
              attempt: 3,
              kind: "buckets",
              count: 500,
              at: 6,
              rows: 1,
              columns: buckets,
              special,
            },
          ],
        },
        [1, 2, 10, 20, 0.5, 0.25, ...Array.from({ length: 12 }, (_, i) => i + 100)],
      ),
    );
    expect(set.width).toBe(10);
    const [points, gathered] = set.curves;
    expect(points).toMatchObject({ runId: "a", key: "ü/<b>", attempt: null, count: 2, special });
    expect(
      points?.kind === "points" && [...points.steps, ...points.times, ...points.values],
    ).toEqual([1, 2, 10, 20, 0.5, 0.25]);
    expect(
      gathered?.kind === "buckets" && [...gathered.high.values, ...gathered.last.steps],
    ).toEqual([105, 109]);
  });

  it("without a column that is needed are refused", () => {
    const curve = { run_id: "a", key: "k", kind: "points", at: 0, rows: 0, columns: ["step"] };
    expect(() => decodeCurves(encode({ x: "step", curves: [curve] }, []))).toThrow(
      "no column time",
    );
  });
});
