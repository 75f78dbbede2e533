import { describe, expect, it } from "vitest";
import { parseView } from "./address";
import type { RunRow } from "./cells";
import { hasMoved, orderOf } from "./order";
import type { Question } from "./reads";

const asked = (search: string, ...columns: string[]): Question => ({
  ...parseView(new URLSearchParams(search)),
  workspace: "default",
  columns,
});
const row = (more: Partial<RunRow>): RunRow =>
  ({ run_id: "a", status: "Running", archived: false, display_name: "a", ...more }) as RunRow;
const moved = (question: Question, before: Partial<RunRow>, now: Partial<RunRow>): boolean => {
  const places = new Map(question.columns.map((id, n) => [id, n]));
  return hasMoved({ row: row(before), places }, { row: row(now), places }, question);
};

describe("the order of rows", () => {
  it("is the same whatever columns are shown and whatever is selected", () => {
    expect(orderOf(asked("?sort=status&run=a&charts=true", "last:loss"))).toBe(
      orderOf(asked("?sort=status&text=%20")),
    );
    expect(orderOf(asked("?sort=-status"))).not.toBe(orderOf(asked("?sort=status")));
    expect(orderOf(asked("?tag=a"))).not.toBe(orderOf(asked("")));
  });

  it("is another one when what is sorted by has changed, and only then", () => {
    const byLoss = asked("?sort=-last:loss", "param:lr", "last:loss");
    expect(moved(byLoss, { values: ["1", 3] }, { values: ["1", 2] })).toBe(true);
    expect(moved(byLoss, { values: ["1", 3] }, { values: ["2", 3] })).toBe(false);
    const byStatus = asked("?sort=status");
    expect(moved(byStatus, { status: "Queued" }, { status: "Running" })).toBe(true);
    expect(moved(byStatus, { display_name: "a" }, { display_name: "b" })).toBe(false);
  });

  it("is another one when a run is left out by now", () => {
    expect(moved(asked("?status=Running"), {}, { status: "Failed" })).toBe(true);
    expect(moved(asked(""), {}, { archived: true })).toBe(true);
    expect(moved(asked("?archived=all"), {}, { archived: true })).toBe(false);
  });
});
