/** What stands in a cell of the table of runs; pure. */

import type { Schemas } from "../api/client";
import { formatDuration, formatValue } from "../design/format";
import { type Attribute, type Column, isMetric } from "./columns";

export type RunRow = Schemas["RunRow"];
export type Cell = RunRow["values"][number];

/** More than this of a text is not drawn: it would not be seen, and costs time. */
const LONGEST = 200;
const LONGEST_TITLE = 1_000;
/** A param such as 0.026000000000000002: nobody wrote all these digits. */
const LONG_NUMBER = /^-?\d+\.\d{8,}(e[+-]?\d+)?$/i;

/** The text of a cell; "": the run has nothing there. */
export function textOf(column: Column, row: RunRow, value: Cell | undefined, now: Date): string {
  if (column.kind === "attribute") return attributeText(column.name, row, now);
  if (value === null || value === undefined) return "";
  const isNumber = isMetric(column) || LONG_NUMBER.test(String(value));
  return isNumber ? formatValue(Number(value)) : shortened(String(value));
}

/** What a cell says when it is pointed at: more digits, more text. */
export function titleOf(column: Column, row: RunRow, value: Cell | undefined): string {
  if (column.kind !== "attribute") return shortened(String(value ?? ""), LONGEST_TITLE);
  const text = column.name === "duration" ? "" : row[column.name];
  return shortened(String(text ?? ""), LONGEST_TITLE);
}

/** How long a run took or has taken, in ms; null: it has not begun. */
export function durationOf(row: RunRow, now: Date): number | null {
  if (row.started === null) return null;
  const end = row.ended === null ? now : new Date(row.ended);
  return end.getTime() - new Date(row.started).getTime();
}

/** What a run is called; one without a name by its id. */
export function nameOf(run: { run_id: string; display_name: string }, longest = LONGEST): string {
  return shortened(run.display_name.trim(), longest) || run.run_id;
}

export function shortened(text: string, longest: number = LONGEST): string {
  // Never in the middle of a character of two halves.
  return text.length > longest ? `${text.slice(0, longest).toWellFormed()}…` : text;
}

function attributeText(name: Attribute, row: RunRow, now: Date): string {
  if (name === "duration") {
    const duration = durationOf(row, now);
    return duration === null ? "" : formatDuration(duration);
  }
  return shortened(String(row[name] ?? ""));
}
