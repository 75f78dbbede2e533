import { describe, expect, it } from "vitest";
import {
  defaultColumns,
  firstDirection,
  moved,
  nextSort,
  parseColumn,
  parseColumns,
  sortedBy,
  type UsedNames,
  widthOf,
} from "./columns";

const names = (...list: string[]): { name: string; runs: number }[] =>
  list.map((name) => ({ name, runs: 1 }));

describe("columns", () => {
  it("are written as the gateway has them, names with any character", () => {
    expect(parseColumn("param:a:b/c")).toEqual({ id: "param:a:b/c", kind: "param", name: "a:b/c" });
    expect(parseColumn("last:<img src=x>")).toMatchObject({ kind: "last", name: "<img src=x>" });
    expect(parseColumn("duration")).toMatchObject({ kind: "attribute", name: "duration" });
  });

  it.each(["", "param:", "mean:loss", "nothing", "display_name", "toString"])(
    "are not made of anything else: %s",
    (id) => {
      expect(parseColumn(id)).toBeNull();
    },
  );

  it("stand once each", () => {
    expect(parseColumns(["status", "?", "tag:x", "status"]).map(({ id }) => id)).toEqual([
      "status",
      "tag:x",
    ]);
  });

  it("show results and causes until somebody chooses, but no load of machines", () => {
    const used: UsedNames = {
      params: names("lr", "depth", "seed", "width"),
      metrics: names("system/gpu", "loss", "acc", "f1", "auc"),
      tags: [],
      properties: [],
    };
    expect(defaultColumns(used, { ofOneExperiment: true })).toEqual([
      "status",
      "last:loss",
      "last:acc",
      "last:f1",
      "param:lr",
      "param:depth",
      "param:seed",
      "created",
      "duration",
    ]);
    expect(defaultColumns(used, { ofOneExperiment: false })).toContain("experiment");
  });

  it("are as wide as their heads need, and no wider than one can use", () => {
    const width = (id: string): number => parseColumns([id]).map(widthOf)[0] ?? 0;
    expect(width("last:validation")).toBeGreaterThan(width("last:loss"));
    expect(width(`param:${"x".repeat(10_000)}`)).toBe(12);
  });

  it("move to other places, and nowhere outside", () => {
    expect(moved(["a", "b", "c"], 0, 2)).toEqual(["b", "c", "a"]);
    expect(moved(["a", "b", "c"], 2, -4)).toEqual(["c", "a", "b"]);
    expect(moved(["a", "b", "c"], 1, 9)).toEqual(["a", "c", "b"]);
    expect(moved(["a"], 4, 0)).toEqual(["a"]);
  });
});

describe("the order", () => {
  it.each([
    ["last:train/loss", "up"],
    ["last:val/acc", "down"],
    ["min:anything", "up"],
    ["max:loss", "down"],
    ["created", "down"],
    ["duration", "down"],
    ["display_name", "up"],
    ["param:lr", "up"],
  ])("begins with what one looks for: %s %s", (id, direction) => {
    expect(firstDirection(id)).toBe(direction);
  });

  it("goes round with each click and ends at newest first", () => {
    expect(nextSort("-created", "last:loss")).toBe("last:loss");
    expect(nextSort("last:loss", "last:loss")).toBe("-last:loss");
    expect(nextSort("-last:loss", "last:loss")).toBe("-created");
    expect(nextSort("-created", "created")).toBe("created");
    expect(nextSort("created", "created")).toBe("-created");
  });

  it("is said for its column alone", () => {
    expect(sortedBy("-last:loss", "last:loss")).toBe("descending");
    expect(sortedBy("last:loss", "last:loss")).toBe("ascending");
    expect(sortedBy("last:loss", "max:loss")).toBe("none");
  });
});
