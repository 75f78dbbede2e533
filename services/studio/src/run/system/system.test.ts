import { describe, expect, it } from "vitest";
import { type Curve, NOTHING_SPECIAL } from "../../charts/curves";
import { gpusOf, scaled, systemCharts } from "./system_charts";

describe("charts of the load", () => {
  it("have the host first, and all GPUs in one chart for each figure", () => {
    const charts = systemCharts([
      "loss",
      "system/gpu/10/utilization",
      "system/gpu/2/utilization",
      "system/process/cpu_percent",
      "system/memory_used_bytes",
      "system/something_new",
    ]);
    expect(charts.map(({ group, title }) => `${group}: ${title}`)).toEqual([
      "Host: Memory of the host, GB",
      "Host: something new",
      "Script: CPU of the script, % of one core",
      "GPUs: GPU: utilization",
    ]);
    expect(charts.at(-1)?.lines.map(({ name }) => name)).toEqual(["GPU 2", "GPU 10"]);
  });

  it("give a GPU the same colour in each, whatever it measures", () => {
    const keys = [
      "system/gpu/0/utilization",
      "system/gpu/1/utilization",
      "system/gpu/1/power_watts",
    ];
    const lines = systemCharts(keys).flatMap((chart) => chart.lines);
    const colours = Object.fromEntries(lines.map(({ key, index }) => [key, index]));
    expect(keys.map((key) => colours[key])).toEqual([0, 1, 1]);
    expect(gpusOf(keys)).toEqual(["0", "1"]);
  });

  it("have bytes in the unit that suits them", () => {
    const keys = ["system/process/memory_rss_bytes", "system/gpu/0/memory_used_bytes"];
    const titles = systemCharts(keys, (key) => (key.includes("gpu") ? 4e9 : 66e6)).map(
      ({ title, factor }) => [title, factor],
    );
    expect(titles).toEqual([
      ["Memory of the script, MB", 1e-6],
      ["GPU: memory used, GB", 1e-9],
    ]);
  });

  it("show bytes as gigabytes", () => {
    const curve: Curve = {
      runId: "r",
      key: "k",
      attempt: null,
      count: 1,
      special: NOTHING_SPECIAL,
      kind: "points",
      steps: Float64Array.of(1),
      times: Float64Array.of(1),
      values: Float64Array.of(2e9),
    };
    expect(scaled(curve, 1e-9)).toMatchObject({ values: Float64Array.of(2) });
    expect(scaled(curve, 1)).toBe(curve);
  });
});
