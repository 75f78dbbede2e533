import { describe, expect, it } from "vitest";
import { parseColumns } from "./columns";
import { cutBy, layoutOf, rowAfter } from "./grid";

const COLUMNS = parseColumns(["status", "last:validation/loss", "created"]);

describe("the layout", () => {
  it("takes columns of its width, and scrolls sideways beyond", () => {
    const { columns, template, width } = layoutOf(COLUMNS, 1_200);
    expect(columns).toHaveLength(3);
    expect(template.split(/ (?![^(]*\))/)).toHaveLength(6);
    expect(width).toBeGreaterThan(30);
  });

  it("puts status and age below the name where there is little room", () => {
    const { columns, isNarrow, width } = layoutOf(COLUMNS, 390);
    expect(isNarrow).toBe(true);
    expect(columns.map(({ id }) => id)).toEqual(["last:validation/loss"]);
    expect(width * 16).toBeLessThanOrEqual(390 - 24);
  });
});

describe("a column at the edge", () => {
  const layout = layoutOf(COLUMNS, 1_200);
  const [, metric = 0, created = 0] = layout.widths;
  const end = layout.width - created;

  it("is cut where the edge goes through it", () => {
    expect(cutBy(layout, end - 1)).toBeCloseTo(metric - 1);
    expect(cutBy(layout, end + 1)).toBeCloseTo(1);
  });

  it("is whole where the edge goes between columns", () => {
    expect(cutBy(layout, end)).toBe(0);
    expect(cutBy(layout, end + 1e-9)).toBe(0);
    expect(cutBy(layout, end - 1e-9)).toBe(0);
  });

  it("is none where all are seen", () => {
    expect(cutBy(layout, layout.width - 1e-9)).toBeNull();
    expect(cutBy(layout, layout.width + 20)).toBeNull();
  });
});

describe("the row after a key", () => {
  const table = { total: 100, rowsInView: 11 };

  it.each([
    ["ArrowDown", 5, 6],
    ["ArrowUp", 5, 4],
    ["PageDown", 5, 15],
    ["PageUp", 5, 0],
    ["Home", 5, 0],
    ["End", 5, 99],
    ["ArrowDown", 99, 99],
    ["ArrowUp", 0, 0],
  ])("%s from %i is %i", (key, row, next) => {
    expect(rowAfter(key, row, table)).toBe(next);
  });

  it.each(["Enter", "a", "toString"])("is none for %s", (key) => {
    expect(rowAfter(key, 5, table)).toBeNull();
  });
});
