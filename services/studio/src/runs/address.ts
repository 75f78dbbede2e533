/** What the Runs page shows, as its address has it; pure, both ways. */

import type { Query } from "../router/routes";
import { NEWEST_FIRST } from "./columns";

export const ARCHIVED = ["false", "true", "all"] as const;
export type Archived = (typeof ARCHIVED)[number];

/** Which runs, in which order: what the gateway is asked. */
export type Asked = {
  /** null: of all experiments */
  experiment: string | null;
  text: string;
  status: readonly string[];
  /** `name` or `name:value` */
  tags: readonly string[];
  archived: Archived;
  /** runs that are children of others too */
  children: boolean;
  sort: string;
};

export type RunsView = Asked & {
  /** null: nobody has chosen */
  columns: readonly string[] | null;
  selected: readonly string[];
  charts: boolean;
  /** of the charts: which metrics, how much is smoothed (0 to 0.95), and whether y is logarithmic */
  metric: string;
  smoothing: number;
  logY: boolean;
};

/** A selection larger than this does not fit into an address, and stays on the page alone. */
export const MOST_SELECTED_IN_ADDRESS = 50;

export function parseView(query: URLSearchParams): RunsView {
  const archived = ARCHIVED.find((one) => one === query.get("archived")) ?? "false";
  return {
    experiment: query.get("experiment") ?? null,
    text: query.get("text") ?? "",
    status: query.getAll("status"),
    tags: query.getAll("tag"),
    archived,
    children: query.get("children") === "true",
    sort: query.get("sort") ?? NEWEST_FIRST,
    columns: query.has("columns") ? query.getAll("columns") : null,
    selected: query.getAll("run"),
    charts: query.get("charts") === "true",
    metric: query.get("metric") ?? "",
    smoothing: Math.min(0.95, Math.max(0, Number(query.get("smooth")) || 0)),
    logY: query.get("logy") === "true",
  };
}

/** The changes of an address that change so much of a view, for `setQuery`. */
export function printView(view: Partial<RunsView>): Query {
  const query: Query = {};
  if (view.experiment !== undefined) query.experiment = view.experiment;
  if (view.text !== undefined) query.text = view.text;
  if (view.status) query.status = view.status;
  if (view.tags) query.tag = view.tags;
  if (view.archived) query.archived = view.archived === "false" ? null : view.archived;
  if (view.children !== undefined) query.children = view.children ? "true" : null;
  if (view.sort !== undefined) query.sort = view.sort === NEWEST_FIRST ? null : view.sort;
  if (view.columns !== undefined) query.columns = view.columns;
  if (view.charts !== undefined) query.charts = view.charts ? "true" : null;
  if (view.metric !== undefined) query.metric = view.metric;
  if (view.smoothing !== undefined) query.smooth = view.smoothing || null;
  if (view.logY !== undefined) query.logy = view.logY ? "true" : null;
  if (view.selected) {
    query.run = view.selected.length > MOST_SELECTED_IN_ADDRESS ? [] : view.selected;
  }
  return query;
}

/** Whether a view leaves runs out; the experiment is where one is, not a filter. */
export function isFiltered(asked: Asked): boolean {
  return (
    asked.text !== "" ||
    asked.status.length > 0 ||
    asked.tags.length > 0 ||
    asked.archived !== "false"
  );
}

/** Every filter away. */
export const UNFILTERED = {
  text: "",
  status: [],
  tags: [],
  archived: "false",
} as const satisfies Partial<RunsView>;

/** The query of the gateway's reads of tables for this view. */
export function questionOf(asked: Asked): {
  experiment?: string;
  text?: string;
  status?: string[];
  tag?: string[];
  archived: Archived;
  children: boolean;
} {
  return {
    ...(asked.experiment === null ? {} : { experiment: asked.experiment }),
    ...(asked.text.trim() === "" ? {} : { text: asked.text.trim() }),
    ...(asked.status.length === 0 ? {} : { status: [...asked.status] }),
    ...(asked.tags.length === 0 ? {} : { tag: [...asked.tags] }),
    archived: asked.archived,
    children: asked.children,
  };
}
