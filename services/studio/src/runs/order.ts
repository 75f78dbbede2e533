/** When rows stand in the same order, and when one would stand elsewhere now; pure. */

import type { RunRow } from "./cells";
import type { Question } from "./reads";

/** What two questions have in common when their rows stand in the same order. */
export function orderOf(question: Question): string {
  const { experiment, text, status, tags, archived, children, sort } = question;
  return JSON.stringify([
    question.workspace,
    experiment,
    text.trim(),
    status,
    tags,
    archived,
    children,
    sort,
  ]);
}

/** Where the values of each column stand in a row. */
export type Places = ReadonlyMap<string, number>;

/** Whether a row, as it is now, would stand elsewhere than where it stood before, or nowhere. */
export function hasMoved(before: RunRow, now: RunRow, question: Question, places: Places): boolean {
  const isOut = question.status.length > 0 && !question.status.includes(now.status);
  const isHidden = question.archived !== "all" && question.archived !== String(now.archived);
  const sortedBy = question.sort.replace(/^-/, "");
  return isOut || isHidden || keyOf(before, sortedBy, places) !== keyOf(now, sortedBy, places);
}

function keyOf(row: RunRow, sortedBy: string, places: Places): unknown {
  const place = places.get(sortedBy);
  if (place !== undefined) return row.values[place];
  return Object.hasOwn(row, sortedBy) ? row[sortedBy as keyof RunRow] : null;
}
