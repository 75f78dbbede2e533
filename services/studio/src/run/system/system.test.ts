import { describe, expect, it } from "vitest";
import { type Curve, NOTHING_SPECIAL } from "../../charts/curves";
import { scaled, systemCharts } from "./system_charts";

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
