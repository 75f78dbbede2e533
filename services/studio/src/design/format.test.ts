import { describe, expect, it } from "vitest";
import { formatAgo, formatBytes, formatCount, formatDuration, formatValue } from "./format";

describe("values", () => {
  it.each([
    [0, "0"],
    [0.0012345678, "0.0012346"],
    [-0.5, "−0.5"],
    [1.5e-7, "1.5e−7"],
    [12345.678, "12,346"],
    [123456789, "1.2346e8"],
    [NaN, "NaN"],
    [Infinity, "∞"],
    [-Infinity, "−∞"],
  ])("%s is written %s", (value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});

describe("lengths of time", () => {
  it.each([
    [-5, "0 ms"],
    [850, "850 ms"],
    [2_340, "2.3 s"],
    [59_900, "59 s"],
    [60_000, "1 min"],
    [725_000, "12 min 5 s"],
    [3_600_000 * 76, "3 d 4 h"],
    [86_400_000 + 5_000, "1 d"],
  ])("%s ms is %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe("how long ago", () => {
  const now = new Date("2026-05-10T12:00:00Z");
  it.each([
    ["2026-05-10T12:00:30Z", "just now"],
    ["2026-05-10T11:59:10Z", "1 min ago"],
    ["2026-05-10T09:10:00Z", "2 h ago"],
    ["2026-05-08T12:00:00Z", "2 d ago"],
    ["2026-04-01T12:00:00Z", "1 Apr 2026"],
  ])("%s was %s", (then, text) => {
    expect(formatAgo(new Date(then), now)).toBe(text);
  });
});

describe("sizes and counts", () => {
  it("have few digits", () => {
    expect([0, 999, 4_200, 123_456, 1.3e9, 5e15].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "4.2 kB",
      "123 kB",
      "1.3 GB",
      "5000 TB",
    ]);
    expect(formatCount(1234567)).toBe("1,234,567");
  });
});
