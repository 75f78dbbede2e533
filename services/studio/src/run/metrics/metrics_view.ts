/** How the curves are shown, as it stands in the URL; pure. */

import type { Range } from "../../charts/ranges";
import type { Along } from "../../charts/shape";
import type { Query } from "../../router/routes";

export type MetricsView = {
  along: Along;
  /** 0 (none) to 0.99 */
  smoothing: number;
  logX: boolean;
  logY: boolean;
  /** in steps, or in µs where x is a time */
  range: Range | null;
  filter: string;
  attempt: string;
};

const RANGE = /^(-?\d+)\.\.(-?\d+)$/;

export function readView(query: URLSearchParams): MetricsView {
  const along = query.get("x");
  const smoothing = Number(query.get("smooth") ?? 0);
  const [, from, to] = RANGE.exec(query.get("range") ?? "") ?? [];
  const isRange = from !== undefined && to !== undefined && Number(from) <= Number(to);
  const attempt = query.get("attempt") ?? "";
  return {
    along: along === "time" || along === "elapsed" ? along : "step",
    smoothing: smoothing >= 0 && smoothing <= 0.99 ? smoothing : 0,
    logX: query.get("logx") === "1",
    logY: query.get("logy") === "1",
    range: isRange ? { from: Number(from), to: Number(to) } : null,
    filter: query.get("filter") ?? "",
    attempt: /^\d+$/.test(attempt) ? attempt : "latest",
  };
}

/** What to change in the query for these changes of the view. */
export function printView(changes: Partial<MetricsView>): Query {
  const query: Query = {};
  if (changes.along) {
    query.x = changes.along === "step" ? null : changes.along;
  }
  if (changes.smoothing !== undefined) query.smooth = changes.smoothing || null;
  if (changes.logX !== undefined) query.logx = changes.logX ? 1 : null;
  if (changes.logY !== undefined) query.logy = changes.logY ? 1 : null;
  if (changes.range !== undefined) {
    const { range } = changes;
    query.range = range ? `${Math.floor(range.from)}..${Math.ceil(range.to)}` : null;
  }
  if (changes.filter !== undefined) query.filter = changes.filter;
  if (changes.attempt) query.attempt = changes.attempt === "latest" ? null : changes.attempt;
  return query;
}
