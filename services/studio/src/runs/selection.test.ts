import { describe, expect, it } from "vitest";
import {
  added,
  between,
  MOST_SELECTED,
  NOTHING,
  refreshed,
  removed,
  type Selectable,
  toggled,
} from "./selection";

const run = (run_id: string, status = "Running"): Selectable => ({
  run_id,
  display_name: `run ${run_id}`,
  status,
  archived: false,
});

describe("a selection", () => {
  it("gives each run a colour that it keeps, and gives free ones out again", () => {
    let selection = added(NOTHING, [run("a"), run("b"), run("c")]);
    selection = removed(selection, ["b"]);
    selection = added(selection, [run("d"), run("e")]);
    expect([...selection.values()].map(({ run_id, colour }) => [run_id, colour])).toEqual([
      ["a", 0],
      ["c", 2],
      ["d", 1],
      ["e", 3],
    ]);
  });

  it("takes a run once, and out with the second touch", () => {
    const once = toggled(NOTHING, run("a"));
    expect(added(once, [run("a")]).size).toBe(1);
    expect(toggled(once, run("a")).size).toBe(0);
  });

  it("is never larger than one command takes", () => {
    const many = Array.from({ length: MOST_SELECTED + 5 }, (_, n) => run(String(n)));
    expect(added(NOTHING, many).size).toBe(MOST_SELECTED);
  });

  it("learns what becomes of its runs, and is the same when nothing does", () => {
    const selection = added(NOTHING, [run("a"), run("b")]);
    expect(refreshed(selection, [run("a"), run("z")])).toBe(selection);
    const later = refreshed(selection, [run("a", "Completed")]);
    expect(later.get("a")).toMatchObject({ status: "Completed", colour: 0 });
    expect(later.get("b")).toMatchObject({ status: "Running" });
  });

  it("reaches from one row to another in both directions", () => {
    expect(between(3, 7)).toEqual({ first: 3, end: 8 });
    expect(between(7, 3)).toEqual({ first: 3, end: 8 });
  });
});
