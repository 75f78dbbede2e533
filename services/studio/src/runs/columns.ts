/**
 * Columns of the table of runs; pure.
 *
 * One is written as the gateway has it (`param:lr`, `last:loss`, `created`); everything behind the first
 * colon is the name. The run's name is no column: it always stands first.
 */

export type ValueKind = "param" | "tag" | "property" | "last" | "min" | "max";

export type Column =
  | { id: string; kind: "attribute"; name: Attribute }
  | { id: string; kind: ValueKind; name: string };

/** What every run has, in the order in which it is offered, and how its column is headed. */
export const ATTRIBUTES = {
  status: "Status",
  experiment: "Experiment",
  created: "Created",
  started: "Started",
  ended: "Ended",
  updated: "Updated",
  duration: "Duration",
  type: "Type",
  attempt: "Attempt",
  created_by: "Created by",
  compute_target: "Compute target",
  description: "Notes",
  run_id: "Run id",
} as const;

export type Attribute = keyof typeof ATTRIBUTES;

/** The column of the runs' names: sorted by, never chosen. */
export const NAME = "display_name";

const METRIC_KINDS: readonly string[] = ["last", "min", "max"];
const VALUE_KINDS: readonly string[] = ["param", "tag", "property", ...METRIC_KINDS];
const TIMES: readonly string[] = ["created", "started", "ended", "updated"];
/** Of these less is better: what one wants to see first is the least. */
const LESS_IS_BETTER = /loss|err|mse|mae|perplexity|\bppl\b|latency|seconds|_ms$|\bwer\b|\bfid\b/i;

/** The column that is written so; null: none is. */
export function parseColumn(id: string): Column | null {
  const colon = id.indexOf(":");
  if (colon < 0) {
    return Object.hasOwn(ATTRIBUTES, id) ? { id, kind: "attribute", name: id as Attribute } : null;
  }
  const [kind, name] = [id.slice(0, colon), id.slice(colon + 1)];
  return name !== "" && VALUE_KINDS.includes(kind) ? { id, kind: kind as ValueKind, name } : null;
}

/** Those of a list that are columns, each once. */
export function parseColumns(ids: readonly string[]): Column[] {
  return [...new Set(ids)].map(parseColumn).filter((column) => column !== null);
}

/** What stands over a column. */
export function labelOf(column: Column): string {
  return column.kind === "attribute" ? ATTRIBUTES[column.name] : column.name;
}

/** What is added to the label to tell columns of one name apart: `loss` last, min, max. */
export function hintOf(column: Column): string {
  return column.kind === "attribute" || column.kind === "param" ? "" : column.kind;
}

export function isMetric(column: Column): boolean {
  return METRIC_KINDS.includes(column.kind);
}

/** Whether its cells are numbers that stand under each other. */
export function isNumeric(column: Column): boolean {
  return isMetric(column) || column.name === "attempt" || column.id === "duration";
}

/** How wide it is, in rem: by its head, for columns have their width before their rows are there. */
export function widthOf(column: Column): number {
  if (column.kind !== "attribute") {
    const head = 0.45 * (column.name.length + hintOf(column).length) + 2;
    return Math.min(12, Math.max(isMetric(column) ? 6.5 : 5.5, head));
  }
  if (TIMES.includes(column.name)) return 7;
  if (column.name === "status" || column.name === "experiment") return 9;
  if (column.name === "run_id" || column.name === "description") return 15;
  return column.name === "attempt" || column.name === "type" ? 6 : 7;
}

/** In which direction one looks first: the newest, the best, the first of the alphabet. */
export function firstDirection(id: string): "up" | "down" {
  const column = parseColumn(id);
  if (!column) return "up";
  if (column.kind === "min") return "up";
  if (column.kind === "max") return "down";
  if (column.kind === "last") return LESS_IS_BETTER.test(column.name) ? "up" : "down";
  return TIMES.includes(column.name) || isNumeric(column) ? "down" : "up";
}

export const NEWEST_FIRST = "-created";

/** The order by one more click on a column's head: the first direction, the other, newest first. */
export function nextSort(sort: string, id: string): string {
  const [first, other] = firstDirection(id) === "up" ? [id, `-${id}`] : [`-${id}`, id];
  if (sort === first) return other;
  return sort === other && first !== NEWEST_FIRST ? NEWEST_FIRST : first;
}

/** Which way a column is sorted, for `aria-sort`. */
export function sortedBy(sort: string, id: string): "ascending" | "descending" | "none" {
  if (sort === id) return "ascending";
  return sort === `-${id}` ? "descending" : "none";
}

export type UsedName = { name: string; runs: number };
export type UsedNames = Record<"params" | "tags" | "properties" | "metrics", UsedName[]>;

const DEFAULT_METRICS = 3;
const DEFAULT_PARAMS = 3;

/** What is shown before it is known which names the runs use: more comes to the right of it. */
export function firstColumns(options: { ofOneExperiment: boolean }): string[] {
  return options.ofOneExperiment ? ["status"] : ["status", "experiment"];
}

/** What is shown until somebody chooses: what the runs have most, results before their causes. */
export function defaultColumns(used: UsedNames, options: { ofOneExperiment: boolean }): string[] {
  const metrics = used.metrics.filter(({ name }) => !name.startsWith("system/"));
  return [
    ...firstColumns(options),
    ...metrics.slice(0, DEFAULT_METRICS).map(({ name }) => `last:${name}`),
    ...used.params.slice(0, DEFAULT_PARAMS).map(({ name }) => `param:${name}`),
    "created",
    "duration",
  ];
}

/** A list with one of its members taken to another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const result = [...list];
  const [member] = result.splice(from, 1);
  if (member !== undefined) result.splice(Math.min(Math.max(to, 0), result.length), 0, member);
  return result;
}

export const NO_NAMES: UsedNames = { params: [], tags: [], properties: [], metrics: [] };

/** The names with those of others that are not among them; the same object when there is none. */
export function withNames(known: UsedNames, found: UsedNames): UsedNames {
  const kinds = Object.keys(known) as (keyof UsedNames)[];
  const more = kinds.map((kind): [keyof UsedNames, UsedName[]] => {
    const names = new Set(known[kind].map(({ name }) => name));
    return [kind, found[kind].filter(({ name }) => !names.has(name))];
  });
  if (more.every(([, names]) => names.length === 0)) return known;
  const all = more.map(([kind, names]) => [kind, [...known[kind], ...names]]);
  return Object.fromEntries(all) as UsedNames;
}

export type Choice = { label: string; runs: number | null; columns: Column[] };
export type ChoiceGroup = { title: string; choices: Choice[]; more: number };

/** So many names of a kind are listed; the others are found by searching. */
const MOST_CHOICES = 40;

/** Every column that these runs can have, whose name has the search in it. */
export function choicesOf(used: UsedNames, search: string): ChoiceGroup[] {
  const text = search.trim().toLowerCase();
  const named = (list: readonly UsedName[], ...kinds: ValueKind[]): Choice[] =>
    list.map(({ name, runs }) => ({
      label: name,
      runs,
      columns: parseColumns(kinds.map((kind) => `${kind}:${name}`)),
    }));
  const attributes = Object.entries(ATTRIBUTES).map(([id, label]) => ({
    label,
    runs: null,
    columns: parseColumns([id]),
  }));
  const groups: [title: string, choices: Choice[]][] = [
    ["Metrics", named(used.metrics, "last", "min", "max")],
    ["Params", named(used.params, "param")],
    ["Tags", named(used.tags, "tag")],
    ["Properties", named(used.properties, "property")],
    ["Every run", attributes],
  ];
  return groups
    .map(([title, all]) => {
      const found = all.filter(({ label }) => label.toLowerCase().includes(text));
      const choices = found.slice(0, MOST_CHOICES);
      return { title, choices, more: found.length - choices.length };
    })
    .filter(({ choices }) => choices.length > 0);
}
