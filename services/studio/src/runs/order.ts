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

export type Placed = { row: RunRow; places: Places };

/** Whether a row, as it is now, would stand elsewhere than where it stood before, or nowhere. */
export function hasMoved(before: Placed, now: Placed, question: Question): boolean {
  const { status, archived } = now.row;
  const isOut = question.status.length > 0 && !question.status.includes(status);
  const isHidden = question.archived !== "all" && question.archived !== String(archived);
  const sortedBy = question.sort.replace(/^-/, "");
  return isOut || isHidden || keyOf(before, sortedBy) !== keyOf(now, sortedBy);
}

function keyOf({ row, places }: Placed, sortedBy: string): unknown {
  const place = places.get(sortedBy);
  if (place !== undefined) return row.values[place];
  return Object.hasOwn(row, sortedBy) ? row[sortedBy as keyof RunRow] : null;
}
