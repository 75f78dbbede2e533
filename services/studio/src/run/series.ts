/** The series of a run: their last values while points come in, and how they are grouped; pure. */

import type { Schemas } from "../api/client";

export type SeriesSummary = Schemas["SeriesSummary"];
export const SYSTEM = "system/";

type Arrived = { steps: readonly number[]; values: readonly (number | string)[] };

/** The summary with points that came in; null before: the key is new. */
export function summaryWith(
  before: SeriesSummary | undefined,
  key: string,
  arrived: Arrived,
): SeriesSummary {
  const summary: SeriesSummary = before
    ? { ...before }
    : { key, attempt: null, count: 0, first_step: Infinity, last_step: -Infinity, last: "NaN", min: null, max: null }; // prettier-ignore
  for (const [i, step] of arrived.steps.entries()) {
    const value = arrived.values[i];
    if (value === undefined) continue;
    // A point may have been in the summary that was loaded: what is not further counts once only.
    if (step > summary.last_step) summary.count += 1;
    if (step >= summary.last_step) summary.last = value as SeriesSummary["last"];
    summary.first_step = Math.min(summary.first_step, step);
    summary.last_step = Math.max(summary.last_step, step);
    if (typeof value !== "number") continue;
    summary.min = Math.min(summary.min ?? value, value);
    summary.max = Math.max(summary.max ?? value, value);
  }
  return summary;
}

export type Group = { prefix: string; keys: string[] };

/** So few keys are seen at once, side by side. */
const UNGROUPED = 6;

/**
 * Keys by what stands before their first slash, both in order; those without one come first. Few keys
 * are one group, without a prefix.
 */
export function grouped(keys: readonly string[]): Group[] {
  const sorted = [...keys].sort(inNaturalOrder);
  if (sorted.length <= UNGROUPED) return sorted.length > 0 ? [{ prefix: "", keys: sorted }] : [];
  const groups = new Map<string, string[]>();
  for (const key of sorted) {
    const prefix = key.slice(0, Math.max(0, key.indexOf("/")));
    groups.set(prefix, [...(groups.get(prefix) ?? []), key]);
  }
  const found = Array.from(groups, ([prefix, of]) => ({ prefix, keys: of }));
  return found.sort((one, other) => inNaturalOrder(one.prefix, other.prefix));
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** layer2 before layer10. */
export function inNaturalOrder(one: string, other: string): number {
  return COLLATOR.compare(one, other);
}

/** The keys that have each of the words in them, in any case. */
export function matching(keys: readonly string[], text: string): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return keys.filter((key) => {
    const lower = key.toLowerCase();
    return words.every((word) => lower.includes(word));
  });
}

/** A value as JSON has it, as a number. */
export function numberOf(value: number | string): number {
  return typeof value === "number" ? value : Number(value);
}
