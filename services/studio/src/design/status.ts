/** What the statuses of a run look like: each has a shape, a tone and its own word. */

export const STATUSES = [
  "NotStarted",
  "Starting",
  "Queued",
  "Provisioning",
  "Preparing",
  "Running",
  "Paused",
  "NotResponding",
  "Finalizing",
  "CancelRequested",
  "Completed",
  "Failed",
  "Canceled",
] as const;

export type Status = (typeof STATUSES)[number];

export type Tone = "waiting" | "active" | "good" | "bad" | "warning" | "stopped";
export type Shape =
  "ring" | "dots" | "half" | "play" | "check" | "cross" | "slash" | "bars" | "alert";

type Look = { word: string; tone: Tone; shape: Shape };

const LOOKS: Record<Status, Look> = {
  NotStarted: { word: "Not started", tone: "waiting", shape: "ring" },
  Starting: { word: "Starting", tone: "waiting", shape: "ring" },
  Queued: { word: "Queued", tone: "waiting", shape: "dots" },
  Provisioning: { word: "Provisioning", tone: "waiting", shape: "half" },
  Preparing: { word: "Preparing", tone: "waiting", shape: "half" },
  Running: { word: "Running", tone: "active", shape: "play" },
  Paused: { word: "Paused", tone: "warning", shape: "bars" },
  NotResponding: { word: "Not responding", tone: "warning", shape: "alert" },
  Finalizing: { word: "Finalizing", tone: "active", shape: "half" },
  CancelRequested: { word: "Cancel requested", tone: "stopped", shape: "slash" },
  Completed: { word: "Completed", tone: "good", shape: "check" },
  Failed: { word: "Failed", tone: "bad", shape: "cross" },
  Canceled: { word: "Canceled", tone: "stopped", shape: "slash" },
};

/** How to show a status; one that is newer than this page is shown as its word. */
export function lookOf(status: string): Look {
  const looks: Record<string, Look | undefined> = LOOKS;
  return looks[status] ?? { word: status, tone: "waiting", shape: "ring" };
}

/** Whether a run in this status never has another one. */
export function isTerminal(status: string): boolean {
  return status === "Completed" || status === "Failed" || status === "Canceled";
}

/** The order in which statuses are listed: what goes on first, then what ended. */
export function inOrder(
  counts: Readonly<Record<string, number>>,
): [status: string, runs: number][] {
  const order = [...STATUSES.slice(5), ...STATUSES.slice(0, 5)] as string[];
  const place = (status: string): number => (order.indexOf(status) + 99) % 99;
  return Object.entries(counts)
    .filter(([, runs]) => runs > 0)
    .sort(([one], [other]) => place(one) - place(other));
}
