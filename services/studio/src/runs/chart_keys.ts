/** Which metrics have a chart beside the table; pure. */

import type { UsedName } from "./columns";

/** More curves in one chart cannot be told apart, and the gateway gives no more at once. */
export const MOST_DRAWN = 50;
const MOST_CHARTS = 60;

/** The keys that have the search in them; the load of machines comes when it is searched for. */
export function chartKeys(
  metrics: readonly UsedName[],
  search: string,
): { shown: string[]; more: number } {
  const text = search.trim().toLowerCase();
  const found = metrics
    .map(({ name }) => name)
    .filter((key) => (text === "" ? !key.startsWith("system/") : key.toLowerCase().includes(text)));
  return { shown: found.slice(0, MOST_CHARTS), more: Math.max(0, found.length - MOST_CHARTS) };
}
