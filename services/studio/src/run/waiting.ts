/** Why a run waits, in words; pure. */

import type { Schemas } from "../api/client";
import { formatCount } from "../design/format";
import type { RunDetails } from "./feed.svelte";
import { needed } from "./overview/facts";

type Target = Pick<
  Schemas["ComputeTargetSummary"],
  "name" | "pool" | "nodes" | "waiting_runs" | "waiting"
>;
type Waiter = Pick<RunDetails, "run_id" | "status" | "spec" | "compute_target">;

/** `runIds`: who has the slots, for the end of the sentence. */
export type Wait = { text: string; runIds: string[] };

const WAITING = ["Queued", "Provisioning"];

export function waits({
  status,
  compute_target,
}: Pick<Waiter, "status" | "compute_target">): boolean {
  return compute_target !== null && WAITING.includes(status);
}

/** What it waits for, and who has it. Only runs of its own workspace are known. */
export function waitOf(run: Waiter, target: Target): Wait {
  const what = run.spec ? needed(run.spec) : "1 slot";
  const begin = `Waits for ${what} on ${target.name}`;
  if (run.status === "Provisioning") {
    return { text: `${begin}: a node is being started for it`, runIds: [] };
  }
  const runIds = target.nodes.flatMap(({ runs }) => runs);
  const used = target.nodes.reduce((sum, node) => sum + node.slots_used, 0);
  const all = Math.max(used, target.pool.max_nodes * target.pool.slots);
  const before = beforeIt(run.run_id, target);
  const queue = before > 0 ? `, ${formatCount(before)} before it in the queue` : "";
  if (used === 0) return { text: `${begin}${queue}: no run of this workspace is there`, runIds };
  return {
    text: `${begin}${queue}: ${formatCount(used)} of ${formatCount(all)} in use by`,
    runIds,
  };
}

function beforeIt(run_id: string, { waiting_runs: named, waiting }: Target): number {
  const place = named.indexOf(run_id);
  if (place >= 0) return place;
  return waiting > named.length ? named.length : 0;
}
