import { expect, it } from "vitest";
import { isRunId, newCommandId, newRunId } from "./ids";

it("makes run ids that are UUIDv7 and in the order of their making", () => {
  const at = Date.UTC(2026, 4, 28);
  expect(newRunId(at)).toMatch(/^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  expect(parseInt(newRunId(at).slice(0, 12), 16)).toBe(at);
  expect(newRunId(at) < newRunId(at + 1)).toBe(true);
});

it("makes command ids that differ", () => {
  const ids = Array.from({ length: 100 }, newCommandId);
  expect(new Set(ids).size).toBe(100);
  expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
});

it("knows what can be a run's id", () => {
  expect(isRunId(newRunId())).toBe(true);
  for (const text of ["", "nonsense", newRunId().slice(1), newRunId().toUpperCase() + "0"]) {
    expect(isRunId(text)).toBe(false);
  }
});
