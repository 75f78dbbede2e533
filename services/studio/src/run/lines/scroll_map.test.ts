import { describe, expect, it } from "vitest";
import { laidOutHeight, MAX_HEIGHT, rowsInView, scrolledTo, scrollFor } from "./scroll_map";

const few = { rows: 1_000, rowHeight: 20, viewHeight: 400 };
const many = { rows: 5_000_000, rowHeight: 20, viewHeight: 400 };
const start = { place: 0, top: 0 };

describe("scrolling", () => {
  it("is the browser's own where everything can be laid out", () => {
    expect(laidOutHeight(few)).toBe(20_000);
    expect(scrolledTo(start, 1_234, few)).toEqual({ place: 1_234, top: 1_234 });
    expect(scrollFor(500, few)).toEqual({ place: 500, top: 500 });
  });

  it("moves by what was scrolled, however many rows there are", () => {
    expect(laidOutHeight(many)).toBe(MAX_HEIGHT);
    const at = scrollFor(50_000_000, many);
    expect(scrolledTo(at, at.top + 100, many).place).toBeCloseTo(50_000_100);
    expect(scrolledTo(at, at.top - 100, many).place).toBeCloseTo(49_999_900);
  });

  it("reaches both ends and every row", () => {
    const end = scrolledTo(start, MAX_HEIGHT - 400, many);
    expect(rowsInView(end, many).end).toBe(many.rows);
    expect(scrolledTo(end, 0, many).place).toBe(0);
    for (const row of [0, 1, 2_499_999, 4_999_980]) {
      const { first, end: last } = rowsInView(scrollFor(row * 20, many), many);
      expect(first).toBeLessThanOrEqual(row);
      expect(last).toBeGreaterThan(row);
    }
  });

  it("draws the rows where the reader looks", () => {
    const at = scrollFor(50_000_000, many);
    const { first, offset } = rowsInView(at, many);
    // the row at the view's top lies exactly there
    expect(offset + (at.place / 20 - first) * 20).toBeCloseTo(at.top);
    expect(rowsInView(start, { ...few, rows: 0 })).toMatchObject({ first: 0, end: 0 });
  });
});
