/** How long a run was in each of its statuses; pure. */

import { isTerminal } from "../../design/status";

export type Change = { status: string; time: string };

/** One status: from when, and for how long (ms); `lasts`: it is the one that goes on now. */
export type Period = { status: string; since: Date; milliseconds: number; lasts: boolean };

/** The periods in order; the last one lasts until `now`, unless nothing can follow it. */
export function periods(changes: readonly Change[], now: Date): Period[] {
  return changes.map(({ status, time }, i) => {
    const since = new Date(time);
    const next = changes[i + 1];
    const ended = next ? new Date(next.time) : isTerminal(status) ? since : now;
    return {
      status,
      since,
      milliseconds: Math.max(0, ended.getTime() - since.getTime()),
      lasts: !next && !isTerminal(status),
    };
  });
}

/** Each period's part of the whole, from 0 to 1; a short one keeps a part that can be seen. */
export function shares(found: readonly Period[], least = 0.015): number[] {
  const whole = found.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const wide = found.map(({ milliseconds }) =>
    milliseconds > 0 ? Math.max(least, milliseconds / Math.max(1, whole)) : 0,
  );
  const sum = wide.reduce((one, other) => one + other, 0);
  return wide.map((width) => (sum > 0 ? width / sum : 0));
}

/** How long the run took from its start to its end, or to now; null: it has not started. */
export function runDuration(
  run: { started: string | null; ended: string | null },
  now: Date,
): number | null {
  if (run.started === null) return null;
  const ended = run.ended === null ? now : new Date(run.ended);
  return Math.max(0, ended.getTime() - new Date(run.started).getTime());
}
