/** Tells the charts that show a key that the drawn runs have more points of it. */

import { follow } from "../api/live";
import { printQuery } from "../router/routes";

type Told = (watermark: string | null) => void;
type Points = { keys: string[]; watermark: string };

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
    const query = printQuery({ run: runIds, points: "true" });
    return follow(`/api/v1/workspaces/${encodeURIComponent(workspace)}/live${query}`, {
      onMessage: ({ event, data }) => {
        if (event === "begin" || event === "reset") this.#tellAll();
        else if (event === "points" || event === "moved") this.#tell(JSON.parse(data) as Points);
      },
      onLost: () => {
        this.#tellAll();
      },
    });
  }

  #tell({ keys, watermark }: Points): void {
    for (const key of keys) for (const told of this.#told.get(key) ?? []) told(watermark);
  }

  #tellAll(): void {
    for (const all of this.#told.values()) for (const told of all) told(null);
  }
}
