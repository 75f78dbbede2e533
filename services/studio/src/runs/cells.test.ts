import { describe, expect, it } from "vitest";
import { durationOf, nameOf, type RunRow, shortened, textOf, titleOf } from "./cells";
import { type Column, parseColumn } from "./columns";

const NOW = new Date("2026-11-01T12:00:00Z");
const ROW: RunRow = {
  run_id: "0190",
  display_name: "a run",
  experiment: "digits",
  experiment_id: "e",
  type: "script",
  status: "Running",
  attempt: 2,
  version: 7,
  created: "2026-11-01T11:00:00Z",
  started: "2026-11-01T11:30:00Z",
  ended: null,
  updated: "2026-11-01T11:59:00Z",
  description: "",
  created_by: "ada",
  parent_run_id: null,
  reproduces: null,
  archived: false,
  compute_target: null,
  tags: {},
  values: [],
};

function column(id: string): Column {
  const found = parseColumn(id);
  if (!found) throw new Error(`no column: ${id}`);
  return found;
}

describe("a cell", () => {
  it("shows numbers of metrics shortly, and all digits when pointed at", () => {
    expect(textOf(column("last:loss"), ROW, 0.123456789, NOW)).toBe("0.12346");
    expect(titleOf(column("last:loss"), ROW, 0.123456789)).toBe("0.123456789");
  });

  it.each([
    ["NaN", "NaN"],
    ["Infinity", "∞"],
    ["-Infinity", "−∞"],
  ] as const)("shows what no axis has: %s", (value, text) => {
    expect(textOf(column("max:loss"), ROW, value, NOW)).toBe(text);
  });

  it("leaves params as they were written", () => {
    expect(textOf(column("param:lr"), ROW, "1e-05", NOW)).toBe("1e-05");
    expect(textOf(column("param:seed"), ROW, "12345678901", NOW)).toBe("12345678901");
    expect(textOf(column("tag:x"), ROW, "<b>x</b>", NOW)).toBe("<b>x</b>");
  });

  it("shows shortly what only a computer wrote so long", () => {
    const long = "0.026000000000000002";
    expect(textOf(column("param:lr"), ROW, long, NOW)).toBe("0.026");
    expect(titleOf(column("param:lr"), ROW, long)).toBe(long);
  });

  it("is empty where the run has nothing", () => {
    expect(textOf(column("param:lr"), ROW, null, NOW)).toBe("");
    expect(textOf(column("compute_target"), ROW, undefined, NOW)).toBe("");
    expect(textOf(column("duration"), { ...ROW, started: null }, undefined, NOW)).toBe("");
  });

  it("names a run without a name by its id", () => {
    expect(nameOf({ run_id: "0190", display_name: " " })).toBe("0190");
    expect(nameOf({ run_id: "0190", display_name: "x".repeat(10_000) }).length).toBeLessThan(300);
  });

  it("counts how long a run takes until it has ended", () => {
    expect(textOf(column("duration"), ROW, undefined, NOW)).toBe("30 min");
    expect(durationOf({ ...ROW, ended: "2026-11-01T11:30:02Z" }, NOW)).toBe(2_000);
  });

  it("never draws a text without end, nor half of a character", () => {
    expect(textOf(column("param:x"), ROW, "x".repeat(10_000), NOW).length).toBeLessThan(300);
    expect(titleOf(column("param:x"), ROW, "x".repeat(10_000)).length).toBeLessThan(1_100);
    expect(shortened("a🙂", 2).isWellFormed()).toBe(true);
    expect(shortened("short", 10)).toBe("short");
  });
});
