import { describe, expect, it } from "vitest";
import { drawnLines, keyAction, readLines, spoken } from "./chart";
import { type Curve, NOTHING_SPECIAL } from "./curves";
import { drawable, padded, xRange, yRange, zoomed } from "./ranges";
import { readAt, summaryOf } from "./readout";
import { firstFrom, nearest, shapeOf, smooth } from "./shape";
import { sparkline } from "./sparkline";
import { elapsedTick, placeWords, stepTick, timeTicks } from "./ticks";

const numbers = (...values: number[]): Float64Array => Float64Array.from(values);

const curve: Curve = {
  runId: "r",
  key: "loss",
  attempt: null,
  count: 4,
  special: { count: 2, steps: [25, 5], times: [2.5e6, 0.5e6], values: ["NaN", "Infinity"] },
  kind: "points",
  steps: numbers(0, 10, 20, 30),
  times: numbers(0, 1e6, 2e6, 3e6),
  values: numbers(4, 2, 1, -1),
};
const shape = shapeOf(curve, "step");

describe("places on x", () => {
  it("are steps, moments in seconds, or seconds since the origin", () => {
    expect([...shape.x]).toEqual([0, 10, 20, 30]);
    expect([...shapeOf(curve, "time").x]).toEqual([0, 1, 2, 3]);
    expect([...shapeOf(curve, "elapsed", 1e6).x]).toEqual([-1, 0, 1, 2]);
    expect(shape.marks).toEqual([
      { x: 5, value: "Infinity" },
      { x: 25, value: "NaN" },
    ]);
  });

  it("are found as a search through all would find them", () => {
    const xs = numbers(0, 1, 1, 5, 9);
    for (let x = -1; x <= 10; x += 0.25) {
      const row = [...xs].findIndex((place) => place >= x);
      expect(firstFrom(xs, x)).toBe(row < 0 ? xs.length : row);
      const least = Math.min(...xs.map((place) => Math.abs(place - x)));
      expect(Math.abs((xs[nearest(xs, x)] ?? NaN) - x)).toBe(least);
    }
    expect(nearest(numbers(), 1)).toBe(-1);
  });
});

describe("ranges", () => {
  it("hold every line and every mark", () => {
    const late = { ...shape, marks: [{ x: 44, value: "NaN" }] };
    expect(xRange([shape, late])).toEqual({ from: 0, to: 44 });
    expect(xRange([])).toBeNull();
  });

  it("of y are those of what is seen, and of the lines that lead there", () => {
    expect(yRange([shape], { from: 0, to: 30 }, false)).toEqual({ from: -1, to: 4 });
    expect(yRange([shape], { from: 12, to: 13 }, false)).toEqual({ from: 1, to: 2 });
    expect(yRange([shape], { from: 0, to: 30 }, true)).toEqual({ from: 1, to: 4 });
    expect(yRange([shape], { from: 30, to: 30 }, true)).toEqual({ from: 1, to: 1 });
  });

  it("have some air, and are never empty", () => {
    expect(padded({ from: 0, to: 100 }, false, 0.1)).toEqual({ from: -10, to: 110 });
    expect(padded({ from: 1, to: 100 }, true, 0.5)).toEqual({ from: 0.1, to: 1000 });
    for (const isLog of [false, true]) {
      const { from, to } = padded({ from: 3, to: 3 }, isLog);
      expect(from).toBeLessThan(to);
    }
  });

  it("are zoomed around a place, and end where the curve ends", () => {
    const whole = { from: 0, to: 100 };
    expect(zoomed(whole, 25, 0.5, whole)).toEqual({ from: 12.5, to: 62.5 });
    expect(zoomed({ from: 10, to: 20 }, 15, 100, whole)).toBeNull();
  });

  it("on a logarithmic axis begin at the first step above 0", () => {
    expect(drawable({ from: 0, to: 30 }, [shape], true)).toEqual({ from: 10, to: 30 });
    expect(drawable({ from: 0, to: 30 }, [shape], false)).toEqual({ from: 0, to: 30 });
  });
});

describe("smoothing", () => {
  it("gives back a constant, and the values themselves without weight", () => {
    expect([...smooth(numbers(3, 3, 3), 0.9)].map((v) => v.toFixed(9))).toEqual(
      Array(3).fill("3.000000000"),
    );
    expect([...smooth(shape.y, 0)]).toEqual([...shape.y]);
    expect([...smooth(numbers(0, 1), 0.5)]).toEqual([0, 1 / 1.5]);
  });
});

describe("what a chart says", () => {
  it("is the true point nearest to the crosshair, or the last one", () => {
    expect(readAt(curve, shape, 14)).toMatchObject({ step: 10, value: 2, low: null });
    expect(readAt(curve, shape, Infinity)).toMatchObject({ step: 30, value: -1 });
    const empty: Curve = {
      ...curve,
      special: NOTHING_SPECIAL,
      steps: numbers(),
      times: numbers(),
      values: numbers(),
    };
    expect(readAt(empty, shapeOf(empty, "step"), 3)).toBeNull();
    expect(summaryOf(empty)).toBeNull();
    expect(summaryOf(curve)).toEqual({ first: 4, last: -1, low: -1, high: 4, points: 4 });
  });

  it("is spoken with the names where there are several", () => {
    const line = { id: "1", name: "calm-owl", index: 0, curve };
    const one = { line, reading: readAt(curve, shape, 10), isOver: false };
    expect(spoken([one], "step 10")).toBe("step 10: 2");
    const none = { line: { ...line, name: "b" }, reading: null, isOver: false };
    expect(spoken([one, none], "")).toBe("last: calm-owl 2, b no value");
  });

  it("has no value of a line that has ended where others go on", () => {
    const line = { id: "1", name: "short", index: 0, curve };
    const longer = { ...curve, steps: numbers(0, 10, 20, 90) };
    const lines = [line, { ...line, id: "2", name: "long", curve: longer }];
    const shapes = [shape, shapeOf(longer, "step")];
    const over = (x: number): boolean[] => readLines(lines, shapes, x).map(({ isOver }) => isOver);
    expect(over(30)).toEqual([false, false]);
    expect(over(31)).toEqual([true, false]);
    expect(over(200)).toEqual([true, false]);
    expect(over(Infinity)).toEqual([false, false]);
    expect(spoken(readLines(lines, shapes, 40), "step 40")).toBe(
      "step 40: short has ended, long 1",
    );
  });

  it("makes the others faint where one line stands out", () => {
    const line = { id: "1", name: "one", index: 0, curve };
    const lines = [line, { ...line, id: "2", index: 1 }];
    const weights = (highlighted: string | null): [number, string][] =>
      drawnLines(lines, [shape, shape], 0, highlighted).map(({ index, weight }) => [index, weight]);
    expect(weights("1")).toEqual([
      [1, "faint"],
      [0, "strong"],
    ]);
    expect(weights(null).map(([, weight]) => weight)).toEqual(["plain", "plain"]);
    expect(weights("not drawn").map(([, weight]) => weight)).toEqual(["plain", "plain"]);
  });

  it("follows the keys from point to point, and no further than what is seen", () => {
    const seen = { from: 10, to: 30 };
    const point = (key: string, x: number | null): number | null => {
      const action = keyAction(key, shape.x, x, seen);
      return action?.kind === "point" ? action.x : null;
    };
    expect(point("ArrowLeft", null)).toBe(30);
    expect(point("ArrowLeft", 20)).toBe(10);
    expect(point("ArrowLeft", 10)).toBe(10);
    expect(point("ArrowRight", 30)).toBe(30);
    expect(point("Home", 30)).toBe(10);
    expect(point("PageUp", 10)).toBe(30);
    expect(keyAction("+", shape.x, 20, seen)).toEqual({ kind: "zoom", centre: 20, factor: 0.5 });
    expect(keyAction("0", shape.x, 20, seen)).toEqual({ kind: "reset" });
    expect(keyAction("x", shape.x, 20, seen)).toBeNull();
    expect(keyAction("End", numbers(), null, seen)).toBeNull();
  });
});

describe("words at the axes", () => {
  it("are short", () => {
    expect([0, 950, 1500, 2e6].map(stepTick)).toEqual(["0", "950", "1.5K", "2M"]);
    expect([0, 0.5, 30, 300, 5400, 86_400, 200_000].map(elapsedTick)).toEqual([
      "0",
      "0.5 s",
      "30 s",
      "5 min",
      "1:30 h",
      "24 h",
      "2.3 d",
    ]);
    expect(placeWords("step", 1200)).toBe("step 1,200");
  });

  it("name the day where it begins", () => {
    const evening = new Date(2026, 4, 28, 23, 30).getTime() / 1_000;
    const ticks = [evening, evening + 1_800, evening + 3_600];
    expect(timeTicks(ticks, 1_800)).toEqual(["23:30\n28 May", "00:00\n29 May", "00:30"]);
    expect(timeTicks(ticks.slice(1, 2), 30)).toEqual(["00:00:00\n29 May"]);
    expect(timeTicks(ticks.slice(1, 2), 86_400)).toEqual(["29 May"]);
  });
});

describe("sparklines", () => {
  it("fill their box, whatever the values", () => {
    expect(sparkline([0, 1, 2], [0, 10, 5], 20, 10)).toBe("M2.0 8.0L10.0 2.0L18.0 5.0");
    expect(sparkline([0, 1], [3, 3], 20, 10)).toBe("M2.0 5.0L18.0 5.0");
    expect(sparkline([7], [3], 20, 10)).toBe("M10.0 5.0h0.01");
    expect(sparkline([], [], 20, 10)).toBe("");
  });
});
