/** Which runs are selected, and the chart colour that each has; pure: every change is a new one. */

/** What is known of a selected run though its row may be gone from memory. */
export type Selected = {
  run_id: string;
  display_name: string;
  status: string;
  archived: boolean;
  /** which of the chart colours, from 0; stays while others come and go */
  colour: number;
};

export type Selectable = Omit<Selected, "colour">;

export type Selection = ReadonlyMap<string, Selected>;

/** The gateway takes so many in one command. */
export const MOST_SELECTED = 1_000;

export const NOTHING: Selection = new Map();

export function added(selection: Selection, runs: readonly Selectable[]): Selection {
  const result = new Map(selection);
  const taken = new Set([...selection.values()].map(({ colour }) => colour));
  let colour = 0;
  for (const { run_id, display_name, status, archived } of runs) {
    if (result.has(run_id) || result.size >= MOST_SELECTED) continue;
    while (taken.has(colour)) colour += 1;
    taken.add(colour);
    result.set(run_id, { run_id, display_name, status, archived, colour });
  }
  return result;
}

export function removed(selection: Selection, runIds: readonly string[]): Selection {
  const result = new Map(selection);
  for (const runId of runIds) result.delete(runId);
  return result;
}

export function toggled(selection: Selection, run: Selectable): Selection {
  return selection.has(run.run_id) ? removed(selection, [run.run_id]) : added(selection, [run]);
}

/** Take over what rows say now of the runs that are selected. */
export function refreshed(selection: Selection, rows: readonly Selectable[]): Selection {
  const result = new Map(selection);
  let isChanged = false;
  for (const { run_id, display_name, status, archived } of rows) {
    const known = selection.get(run_id);
    if (!known) continue;
    const now = { ...known, display_name, status, archived };
    if (JSON.stringify(now) === JSON.stringify(known)) continue;
    result.set(run_id, now);
    isChanged = true;
  }
  return isChanged ? result : selection;
}

/** The places from one row to another, both with it, whichever comes first. */
export function between(one: number, other: number): { first: number; end: number } {
  return { first: Math.min(one, other), end: Math.max(one, other) + 1 };
}
