/** Follows what becomes of the runs of an experiment, or of all, and passes it on in batches. */

import { follow } from "../api/live";
import { Refresher } from "../api/refresher";
import { printQuery } from "../router/routes";
import { followPoints } from "./live_points";

export type Batch = {
  runIds: ReadonlySet<string>;
  /** there are runs that nobody has seen yet */
  hasNew: boolean;
  /** a read that carries them sees all of the batch */
  watermarks: readonly string[];
};

type Taken = {
  workspace: string;
  /** Handles its own failures. What comes meanwhile is the next batch. */
  take: (batch: Batch) => Promise<void>;
};

type RunEvent = { type: string; watermark: string | null; data: { run_id: string } };

/** These say what stands in no row. */
const OF_NO_ROW = /^run\.(environment_recorded|snapshot_taken|files_added|exited)\./;
const OF_NEW_RUN = /^run\.(submitted|created|reactivated)\./;

/** What is in the log for so long is in every read. */
const INSERTED_MS = 30_000;

type RunsFollowed = Taken & {
  experiment: string | null;
  /** when the runs were read, by the gateway's clock: what they lack comes since; null: not known */
  at: Date | null;
  /** It was away for too long to hear of all: everything is to be read anew. */
  onLost: () => void;
};

/** Returns how to stop. */
export function followRuns({ workspace, experiment, at, take, onLost }: RunsFollowed): () => void {
  let runIds = new Set<string>();
  let hasNew = false;
  const refresher = new Refresher((watermarks) => {
    const batch = { runIds, hasNew, watermarks };
    [runIds, hasNew] = [new Set(), false];
    return take(batch);
  });
  const from = at && new Date(at.getTime() - INSERTED_MS).toISOString();
  const query = printQuery({ type: "run.*", experiment, from });
  const stop = follow(`/api/v1/workspaces/${encodeURIComponent(workspace)}/events${query}`, {
    onMessage: ({ data }) => {
      const event = JSON.parse(data) as RunEvent;
      if (OF_NO_ROW.test(event.type)) return;
      runIds.add(event.data.run_id);
      hasNew ||= OF_NEW_RUN.test(event.type);
      refresher.poke(event.watermark);
    },
    onLost,
  });
  return () => {
    stop();
    refresher.stop();
  };
}

/** Rows are read again at most so often because their metrics move. */
const METRICS_MS = 1_000;
/** What is only scrolled past is not followed. */
const LOOKED_AT_MS = 500;

type MetricsFollowed = Taken & {
  runIds: readonly string[];
  /** what was logged just now */
  onKeys: (runId: string, keys: readonly string[], watermark: string) => void;
};

/** Follows the metrics of runs that are seen and go on; returns how to stop. */
export function followMetrics({ workspace, take, runIds, onKeys }: MetricsFollowed): () => void {
  const all = new Set(runIds);
  const refresher = new Refresher(
    (watermarks) => take({ runIds: all, hasNew: false, watermarks }),
    METRICS_MS,
  );
  let stop: (() => void) | undefined;
  const timer = setTimeout(() => {
    stop = followPoints({
      workspace,
      runIds,
      onPoints: ({ run_id, keys, watermark }) => {
        refresher.poke(watermark);
        onKeys(run_id, keys, watermark);
      },
      onAny: (watermarks) => {
        refresher.poke(...watermarks);
      },
    });
  }, LOOKED_AT_MS);
  return () => {
    clearTimeout(timer);
    stop?.();
    refresher.stop();
  };
}
