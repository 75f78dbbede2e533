import { describe, expect, it } from "vitest";
import type { RunDetails } from "./feed.svelte";
import { waitOf, waits } from "./waiting";

type Target = Parameters<typeof waitOf>[1];

const spec = { resources: { slots: 1, gpus: 0 } } as RunDetails["spec"];
const run = { run_id: "me", status: "Queued", spec, compute_target: "local" };
const pool = { min_nodes: 1, max_nodes: 1, idle_seconds: 0, slots: 2 };

function target(holders: Record<string, number>, waiting_runs: string[] = ["me"]): Target {
  const nodes = Object.entries(holders).map(([id, slots_used]) => ({
    node: "n",
    status: "busy" as const,
    worker_id: "w",
    slots: null,
    slots_used,
    since: null,
    runs: [id],
  }));
  return { name: "local", pool, nodes, waiting: waiting_runs.length, waiting_runs };
}

describe("why a run waits", () => {
  it("names who has the slots, and how many runs are before it", () => {
    expect(waitOf(run, target({ a: 1, b: 1 }))).toEqual({
      text: "Waits for 1 slot on local: 2 of 2 in use by",
      runIds: ["a", "b"],
    });
    expect(waitOf(run, target({ a: 2 }, ["x", "y", "me", "z"])).text).toBe(
      "Waits for 1 slot on local, 2 before it in the queue: 2 of 2 in use by",
    );
  });

  it("says what it needs", () => {
    const large = { resources: { slots: 2, gpus: 1 } } as RunDetails["spec"];
    expect(waitOf({ ...run, spec: large }, target({ a: 1 })).text).toContain("Waits for 1 GPU on");
  });

  it("says nothing of slots that other workspaces may have", () => {
    expect(waitOf(run, target({}))).toEqual({
      text: "Waits for 1 slot on local: no run of this workspace is there",
      runIds: [],
    });
  });

  it("tells of a node that is being started", () => {
    const starting = waitOf({ ...run, status: "Provisioning" }, target({ a: 1 }));
    expect(starting.text).toBe("Waits for 1 slot on local: a node is being started for it");
  });

  it("counts at least those that are named where it is far behind", () => {
    const far = { ...target({ a: 2 }, ["x", "y"]), waiting: 5_000 };
    expect(waitOf(run, far).text).toContain("2 before it");
  });

  it("is asked only of a run that waits for compute", () => {
    expect(waits(run)).toBe(true);
    expect(waits({ ...run, status: "Running" })).toBe(false);
    expect(waits({ ...run, compute_target: null })).toBe(false);
  });
});
