/** Follows what becomes of the runs of an experiment, or of all, and passes it on in batches. */

import { follow } from "../api/live";
import { Refresher } from "../api/refresher";
import { printQuery } from "../router/routes";

export type Batch = {
  runIds: ReadonlySet<string>;
  /** there are runs that nobody has seen yet */
  hasNew: boolean;
  /** a read that carries them sees all of the batch */
  watermarks: readonly string[];
};

type RunEvent = { type: string; watermark: string | null; data: { run_id: string } };

/** These say what stands in no row. */
const OF_NO_ROW = /^run\.(environment_recorded|snapshot_taken|files_added|exited)\./;
const OF_NEW_RUN = /^run\.(submitted|created|reactivated)\./;

export type RunsFollowed = {
  workspace: string;
  experiment: string | null;
  /** Handles its own failures. What comes meanwhile is the next batch. */
  take: (batch: Batch) => Promise<void>;
  /** It was away for too long to hear of all: everything is to be read anew. */
  onLost: () => void;
};

/** Returns how to stop. */
export function followRuns({ workspace, experiment, take, onLost }: RunsFollowed): () => void {
  let runIds = new Set<string>();
  let hasNew = false;
  const refresher = new Refresher((watermarks) => {
    const batch = { runIds, hasNew, watermarks };
    [runIds, hasNew] = [new Set(), false];
    return take(batch);
  });
  const query = printQuery({ type: "run.*", experiment });
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
