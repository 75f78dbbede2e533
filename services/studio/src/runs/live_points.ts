/** Tells who shows metrics of runs that they have more points. */

import { follow } from "../api/live";
import { printQuery } from "../router/routes";

/** The gateway follows so many runs in one stream. */
export const MOST_FOLLOWED = 100;

export type Points = { run_id: string; keys: string[]; watermark: string };

type PointsFollowed = {
  workspace: string;
  runIds: readonly string[];
  onPoints: (points: Points) => void;
  /** Anything may be new: it begins, or it was away for too long. What is read with these has all of it. */
  onAny: (watermarks: readonly string[]) => void;
};

/** Returns how to stop. */
export function followPoints(followed: PointsFollowed): () => void {
  const { workspace, runIds, onPoints, onAny } = followed;
  const query = printQuery({ run: runIds.slice(0, MOST_FOLLOWED), points: "true" });
  return follow(`/api/v1/workspaces/${encodeURIComponent(workspace)}/live${query}`, {
    onMessage: ({ event, data }) => {
      if (event === "begin" || event === "reset") {
        onAny((JSON.parse(data) as { watermarks: string[] }).watermarks);
      }
      if (event === "points" || event === "moved") onPoints(JSON.parse(data) as Points);
    },
    onLost: () => {
      onAny([]);
    },
  });
}

type Told = (...watermarks: string[]) => void;

/** The charts, by the key that each shows. */
export class LiveCurves {
  readonly #told = new Map<string, Set<Told>>();

  /** Be told of a key; returns how to stop. */
  on(key: string, told: Told): () => void {
    const all = this.#told.get(key) ?? new Set();
    this.#told.set(key, all.add(told));
    return () => {
      all.delete(told);
    };
  }

  /** Follow these runs; returns how to stop. */
  follow(workspace: string, runIds: readonly string[]): () => void {
    return followPoints({
      workspace,
      runIds,
      onPoints: ({ keys, watermark }) => {
        for (const key of keys) for (const told of this.#told.get(key) ?? []) told(watermark);
      },
      onAny: (watermarks) => {
        for (const all of this.#told.values()) for (const told of all) told(...watermarks);
      },
    });
  }
}
