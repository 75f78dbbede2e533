import { describe, expect, it } from "vitest";
import { MOST_PAGES, PAGE_ROWS, RowCache, wantedPages } from "./row_cache";

const page = (number: number): { run_id: string }[] =>
  Array.from({ length: PAGE_ROWS }, (_, n) => ({ run_id: String(number * PAGE_ROWS + n) }));

describe("the pages that are wanted", () => {
  it("are what is drawn, then one ahead that is near", () => {
    expect(wantedPages({ first: 0, end: 30 }, 1_000, 1)).toEqual([0]);
    expect(wantedPages({ first: 30, end: 60 }, 1_000, 1)).toEqual([0, 1]);
    expect(wantedPages({ first: 160, end: 190 }, 1_000, -1)).toEqual([1]);
    expect(wantedPages({ first: 190, end: 260 }, 1_000, 1)).toEqual([1, 2, 3]);
    expect(wantedPages({ first: 130, end: 230 }, 1_000, -1)).toEqual([1, 2, 0]);
  });

  it("are none outside the table", () => {
    expect(wantedPages({ first: 0, end: 30 }, 30, 1)).toEqual([0]);
    expect(wantedPages({ first: 0, end: 30 }, 1_000, -1)).toEqual([0]);
    expect(wantedPages({ first: 970, end: 1_000 }, 1_000, 1)).toEqual([9]);
    expect(wantedPages({ first: 0, end: 0 }, 0, 1)).toEqual([]);
  });
});

describe("the rows that are here", () => {
  it("are found by their place", () => {
    const cache = new RowCache();
    cache.put(2, page(2));
    expect(cache.row(250)).toEqual({ run_id: "250" });
    expect(cache.row(50)).toBeUndefined();
  });

  it("are few, and those that are looked at stay", () => {
    const cache = new RowCache();
    cache.put(0, page(0));
    for (let number = 1; number < 10 * MOST_PAGES; number += 1) {
      cache.put(number, page(number));
      cache.use([0]);
    }
    expect(cache.size).toBe(MOST_PAGES);
    expect(cache.rows()).toHaveLength(MOST_PAGES * PAGE_ROWS);
    expect(cache.has(0)).toBe(true);
    expect(cache.has(10 * MOST_PAGES - 1)).toBe(true);
    expect(cache.has(1)).toBe(false);
  });

  it("are found by their runs", () => {
    const cache = new RowCache();
    cache.put(0, page(0));
    cache.put(3, page(3));
    expect(cache.pagesWith(new Set(["301", "999"]))).toEqual([3]);
    cache.drop(3);
    expect(cache.pagesWith(new Set(["301"]))).toEqual([]);
  });
});
