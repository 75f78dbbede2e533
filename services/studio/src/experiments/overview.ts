/** The experiments of a workspace as the page shows them; pure. */

import type { Schemas } from "../api/client";

export type Experiment = Schemas["ExperimentOverview"];

/** The metric that stands for an experiment, of its newest run that logged it. */
export type MainMetric = Schemas["MainMetric"];

/** A metric's value as JSON has it. */
export type Value = MainMetric["last"];

export const ORDERS = { activity: "Last activity", name: "Name", runs: "Number of runs" } as const;
export type Order = keyof typeof ORDERS;

/** The page's state, as its address has it. */
export type View = { text: string; order: Order; archived: boolean };

export function parseView(query: URLSearchParams): View {
  const order = query.get("sort") ?? "";
  return {
    text: query.get("q") ?? "",
    order: Object.hasOwn(ORDERS, order) ? (order as Order) : "activity",
    archived: query.get("archived") === "all",
  };
}

/** How many runs an experiment has, whatever their status. */
export function countRuns(runs: Readonly<Record<string, number>>): number {
  return Object.values(runs).reduce((sum, count) => sum + count, 0);
}

/** Those whose name, description or tags hold every word of the text. */
export function matching(experiments: readonly Experiment[], text: string): Experiment[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return experiments.filter((experiment) => {
    const tags = Object.entries(experiment.tags).flat();
    const all = [experiment.name, experiment.description, ...tags].join("\n").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

export function inOrder(experiments: readonly Experiment[], order: Order): Experiment[] {
  const byName = (one: Experiment, other: Experiment): number =>
    one.name.localeCompare(other.name, undefined, { numeric: true });
  const by: Record<Order, (one: Experiment, other: Experiment) => number> = {
    activity: (one, other) => other.last_activity.localeCompare(one.last_activity),
    name: () => 0,
    runs: (one, other) => countRuns(other.runs) - countRuns(one.runs),
  };
  return [...experiments].sort((one, other) => by[order](one, other) || byName(one, other));
}

/**
 * What was loaded anew, in the order in which it is on the page: what is new comes first, and
 * nothing else moves while somebody reads.
 */
export function keepingPlaces(
  shown: readonly Experiment[],
  loaded: readonly Experiment[],
): Experiment[] {
  const places = new Map(shown.map(({ experiment_id: id }, place) => [id, place]));
  const place = ({ experiment_id: id }: Experiment): number => places.get(id) ?? -1;
  return [...loaded].sort((one, other) => place(one) - place(other));
}

const MOST_POINTS = 120;

/** The metric with points that its run has just logged, in order of step. */
export function withPoints(
  metric: MainMetric,
  points: readonly { step: number; value: Value }[],
): MainMetric {
  const steps = [...metric.sparkline.steps];
  const values = [...metric.sparkline.values];
  let { last, min, max } = metric;
  for (const { step, value } of points) {
    if (step < (steps.at(-1) ?? -Infinity)) continue;
    last = value;
    if (typeof value !== "number") continue;
    min = min === null ? value : Math.min(min, value);
    max = max === null ? value : Math.max(max, value);
    if (step === steps.at(-1)) {
      steps.pop();
      values.pop();
    }
    steps.push(step);
    values.push(value);
  }
  return { ...metric, last, min, max, sparkline: thinned(steps, values) };
}

/** Every second point, and the extremes: a sparkline has few pixels. */
function thinned(steps: number[], values: number[]): MainMetric["sparkline"] {
  if (steps.length <= MOST_POINTS) return { steps, values };
  const kept = new Set([values.indexOf(Math.min(...values)), values.indexOf(Math.max(...values))]);
  const stays = (_: number, i: number): boolean =>
    i % 2 === 0 || i === steps.length - 1 || kept.has(i);
  return { steps: steps.filter(stays), values: values.filter(stays) };
}
