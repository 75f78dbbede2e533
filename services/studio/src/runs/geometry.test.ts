import { describe, expect, it } from "vitest";
import { contentHeight, drawnAt, type Geometry, scrollFor, TALLEST } from "./geometry";

const SOME: Geometry = { total: 1_000, rowHeight: 36, viewHeight: 360 };
const HUGE: Geometry = { total: 3_000_000, rowHeight: 36, viewHeight: 720 };

describe("the rows that are drawn", () => {
  it("are those that are seen, and a few around them", () => {
    expect(drawnAt(SOME, 3_600)).toEqual({
      first: 92,
      end: 118,
      top: 92 * 36,
      firstSeen: 100,
      endSeen: 110,
    });
  });

  it("count the one that is seen in part", () => {
    expect(drawnAt(SOME, 18)).toMatchObject({ firstSeen: 0, endSeen: 11 });
  });

  it("end with the table", () => {
    const bottom = contentHeight(SOME) - SOME.viewHeight;
    expect(drawnAt(SOME, bottom)).toMatchObject({ firstSeen: 990, endSeen: 1_000, end: 1_000 });
    expect(drawnAt(SOME, bottom + 500)).toMatchObject({ end: 1_000 });
    expect(drawnAt({ ...SOME, total: 0 }, 0)).toMatchObject({ first: 0, end: 0 });
    expect(drawnAt({ ...SOME, rowHeight: 0 }, 0)).toMatchObject({ first: 0, end: 0 });
  });

  it("are reached to the last in a table that is taller than a browser can lay out", () => {
    expect(contentHeight(HUGE)).toBe(TALLEST);
    const bottom = TALLEST - HUGE.viewHeight;
    const drawn = drawnAt(HUGE, bottom);
    expect(drawn.endSeen).toBe(HUGE.total);
    const lastRowEnds = drawn.top + (drawn.end - drawn.first) * HUGE.rowHeight;
    expect(lastRowEnds).toBeCloseTo(TALLEST, 3);
  });

  it("are few however long the table is", () => {
    for (let at = 0; at < TALLEST; at += 123_457) {
      const { first, end } = drawnAt(HUGE, at);
      expect(end - first).toBeLessThan(40);
    }
  });
});

describe("scrolling to a row", () => {
  it("moves only as far as needed", () => {
    expect(scrollFor(SOME, 5, 0)).toBe(0);
    expect(scrollFor(SOME, 10, 0)).toBe(36);
    expect(scrollFor(SOME, 5, 3_600)).toBe(180);
  });

  it.each([SOME, HUGE])("makes it seen, from anywhere", (geometry) => {
    for (const index of [0, 1, 500, geometry.total - 1]) {
      for (const from of [0, 4_000, contentHeight(geometry) - geometry.viewHeight]) {
        const { firstSeen, endSeen } = drawnAt(geometry, scrollFor(geometry, index, from));
        expect(firstSeen).toBeLessThanOrEqual(index);
        expect(endSeen).toBeGreaterThan(index);
      }
    }
  });
});
