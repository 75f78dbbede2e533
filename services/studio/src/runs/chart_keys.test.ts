import { describe, expect, it } from "vitest";
import { chartKeys } from "./chart_keys";

const metrics = (...names: string[]): { name: string; runs: number }[] =>
  names.map((name) => ({ name, runs: 1 }));

describe("the charts", () => {
  it("are of what the runs logged, and of their machines when asked", () => {
    const used = metrics("loss", "system/gpu/0/load", "val/Loss");
    expect(chartKeys(used, "").shown).toEqual(["loss", "val/Loss"]);
    expect(chartKeys(used, "GPU").shown).toEqual(["system/gpu/0/load"]);
    expect(chartKeys(used, " loss ").shown).toEqual(["loss", "val/Loss"]);
  });

  it("are not without end", () => {
    const used = metrics(...Array.from({ length: 100 }, (_, n) => `m${n}`));
    const { shown, more } = chartKeys(used, "");
    expect(shown.length + more).toBe(100);
    expect(more).toBeGreaterThan(0);
  });
});
