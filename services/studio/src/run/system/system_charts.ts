/** The load of the host, the script and its GPUs as charts that people understand; pure. */

import type { Curve } from "../../charts/curves";
import { inNaturalOrder, SYSTEM } from "../series";

/** `factor`: from the value that is kept to the one that is shown. */
export type SystemChart = {
  title: string;
  group: string;
  factor: number;
  /** `index`: of its colour, the same one for a GPU in each chart */
  lines: { key: string; name: string; index: number }[];
};

/** The largest value of a key; null: none is known. */
type Largest = (key: string) => number | null;

const TITLES: Record<string, string> = {
  cpu_percent: "CPU of the host, %",
  memory_used_bytes: "Memory of the host",
  memory_percent: "Memory of the host, %",
  "process/cpu_percent": "CPU of the script, % of one core",
  "process/memory_rss_bytes": "Memory of the script",
  "process/count": "Processes of the script",
};
const GPU = /^gpu\/([^/]+)\/(.+)$/;
const BYTES = "_bytes";

/** The GPUs that there are figures of, in the order of their colours. */
export function gpusOf(keys: readonly string[]): string[] {
  const found = keys.flatMap((key) => GPU.exec(key.slice(SYSTEM.length))?.[1] ?? []);
  return [...new Set(found)].sort(inNaturalOrder);
}

/** One chart for each key of the host and of the script, one for each figure of all GPUs together. */
export function systemCharts(
  keys: readonly string[],
  largest: Largest = () => null,
): SystemChart[] {
  const gpus = gpusOf(keys);
  const charts = new Map<string, SystemChart>();
  for (const key of keys.filter((one) => one.startsWith(SYSTEM)).sort(inNaturalOrder)) {
    const name = key.slice(SYSTEM.length);
    const [, gpu, figure] = GPU.exec(name) ?? [];
    const title = gpu && figure ? `GPU: ${words(figure)}` : (TITLES[name] ?? words(name));
    const known = charts.get(title) ?? { title, group: groupOf(name), factor: 1, lines: [] };
    const place = gpu === undefined ? 0 : gpus.indexOf(gpu);
    known.lines.push({ key, name: gpu ? `GPU ${gpu}` : title, index: place });
    charts.set(title, known);
  }
  for (const chart of charts.values()) measure(chart, largest);
  const order = ["Host", "Script", "GPUs"];
  return [...charts.values()].sort(
    (one, other) => order.indexOf(one.group) - order.indexOf(other.group),
  );
}

function groupOf(name: string): string {
  if (name.startsWith("gpu/")) return "GPUs";
  return name.startsWith("process/") ? "Script" : "Host";
}

function words(name: string): string {
  return name
    .replace(/_bytes$/, "")
    .replace(/_percent$/, ", %")
    .replace(/_watts$/, ", W")
    .replace(/_celsius$/, ", °C")
    .replaceAll("_", " ");
}

/** Bytes in the unit that suits the largest of them. */
function measure(chart: SystemChart, largest: Largest): void {
  const ofBytes = chart.lines.filter(({ key }) => key.endsWith(BYTES));
  if (ofBytes.length === 0) return;
  const most = Math.max(...ofBytes.map(({ key }) => largest(key) ?? Infinity));
  chart.factor = most < 1e9 ? 1e-6 : 1e-9;
  chart.title += most < 1e9 ? ", MB" : ", GB";
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
