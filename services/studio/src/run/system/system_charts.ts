/** The load of the host, the script and its GPUs as charts that people understand; pure. */

import type { Curve } from "../../charts/curves";
import { inNaturalOrder, SYSTEM } from "../series";

/** `factor`: from the value that is kept to the one that is shown. */
export type SystemChart = {
  title: string;
  group: string;
  factor: number;
  lines: { key: string; name: string }[];
};

const TITLES: Record<string, string> = {
  cpu_percent: "CPU of the host, %",
  memory_used_bytes: "Memory of the host, GB",
  memory_percent: "Memory of the host, %",
  "process/cpu_percent": "CPU of the script, % of one core",
  "process/memory_rss_bytes": "Memory of the script, GB",
  "process/count": "Processes of the script",
};
const GPU = /^gpu\/([^/]+)\/(.+)$/;
const BYTES = "_bytes";

/** One chart for each key of the host and of the script, one for each figure of all GPUs together. */
export function systemCharts(keys: readonly string[]): SystemChart[] {
  const charts = new Map<string, SystemChart>();
  for (const key of keys.filter((one) => one.startsWith(SYSTEM)).sort(inNaturalOrder)) {
    const name = key.slice(SYSTEM.length);
    const [, gpu, figure] = GPU.exec(name) ?? [];
    const chart = gpu && figure ? gpuChart(figure) : hostChart(name);
    const known = charts.get(chart.title) ?? chart;
    known.lines.push({ key, name: gpu ? `GPU ${gpu}` : known.title });
    charts.set(chart.title, known);
  }
  const order = ["Host", "Script", "GPUs"];
  return [...charts.values()].sort(
    (one, other) => order.indexOf(one.group) - order.indexOf(other.group),
  );
}

function hostChart(name: string): SystemChart {
  const group = name.startsWith("process/") ? "Script" : "Host";
  return { title: TITLES[name] ?? words(name), group, factor: factorOf(name), lines: [] };
}

function gpuChart(figure: string): SystemChart {
  return { title: `GPU: ${words(figure)}`, group: "GPUs", factor: factorOf(figure), lines: [] };
}

function words(name: string): string {
  return name
    .replace(/_bytes$/, ", GB")
    .replace(/_percent$/, ", %")
    .replace(/_watts$/, ", W")
    .replace(/_celsius$/, ", °C")
    .replaceAll("_", " ");
}

function factorOf(name: string): number {
  return name.endsWith(BYTES) ? 1e-9 : 1;
}

/** The curve with its values times `factor`. */
export function scaled(curve: Curve, factor: number): Curve {
  if (factor === 1) return curve;
  const times = (values: Float64Array): Float64Array => values.map((value) => value * factor);
  if (curve.kind === "points") return { ...curve, values: times(curve.values) };
  const { low, high, first, last } = curve;
  return {
    ...curve,
    low: { ...low, values: times(low.values) },
    high: { ...high, values: times(high.values) },
    first: { ...first, values: times(first.values) },
    last: { ...last, values: times(last.values) },
  };
}
