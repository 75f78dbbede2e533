import { describe, expect, it } from "vitest";
import { printQuery } from "../router/routes";
import {
  isFiltered,
  MOST_SELECTED_IN_ADDRESS,
  parseView,
  printView,
  questionOf,
  type RunsView,
  UNFILTERED,
} from "./address";

const parse = (search: string): RunsView => parseView(new URLSearchParams(search));

const FULL: RunsView = {
  experiment: "a/b & c",
  text: "<img src=x onerror=alert(1)>",
  status: ["Running", "Failed"],
  tags: ["team", "owner:עברית", "x:🙂?&="],
  archived: "all",
  children: true,
  sort: "-last:val/acc",
  columns: ["status", "param:a,b", "last:x:y"],
  selected: ["0190", "0191"],
  charts: true,
  metric: "loss",
  smoothing: 0.5,
  logY: true,
};

describe("a view of runs", () => {
  it("comes back from its address as it was", () => {
    expect(parse(printQuery(printView(FULL)))).toEqual(FULL);
  });

  it("needs no words when it is the usual one", () => {
    expect(printQuery(printView(parse("")))).toBe("");
  });

  it("keeps a selection that is too large for an address out of it", () => {
    const selected = Array.from({ length: MOST_SELECTED_IN_ADDRESS + 1 }, (_, n) => String(n));
    expect(printQuery(printView({ selected }))).toBe("");
    expect(parse(printQuery(printView({ selected: selected.slice(1) }))).selected).toHaveLength(
      MOST_SELECTED_IN_ADDRESS,
    );
  });

  it("takes nonsense as if it was not said", () => {
    expect(parse("?archived=maybe&children=1")).toEqual(parse(""));
  });

  it("is asked of the gateway without what is not asked", () => {
    expect(questionOf(parse(""))).toEqual({ archived: "false", children: false });
    expect(questionOf({ ...FULL, text: "  " })).toEqual({
      experiment: FULL.experiment,
      status: FULL.status,
      tag: FULL.tags,
      archived: "all",
      children: true,
    });
  });

  it("knows whether it leaves runs out", () => {
    expect(isFiltered(FULL)).toBe(true);
    expect(isFiltered({ ...FULL, ...UNFILTERED })).toBe(false);
  });
});
