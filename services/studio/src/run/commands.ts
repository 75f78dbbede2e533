/** Wishes of whoever looks at a run: cancel, archive, tag, describe, reproduce. */

import { api, ApiFailure, ask, type Schemas } from "../api/client";
import { newCommandId, newRunId } from "../api/ids";
import type { RelatedRun } from "./related";

export type Place = { workspace: string; run_id: string };
type Wish<T> = Omit<T, "at" | "command_id">;
export type Command =
  | Wish<Schemas["Cancel"]>
  | Wish<Schemas["Archive"]>
  | Wish<Schemas["Reactivate"]>
  | Wish<Schemas["SetTags"]>
  | Wish<Schemas["RemoveTags"]>
  | Wish<Schemas["Describe"]>;

const TRIES = 3;
const PAUSE_MS = 700;

/**
 * Send a command, again if nobody answered: it has an id, so twice is once.
 *
 * @throws ApiFailure it was refused, or nobody answered at all
 */
export async function send(path: Place, command: Command): Promise<Schemas["CommandResult"]> {
  const body = { ...command, at: null, command_id: newCommandId() };
  return persistently(() =>
    ask(
      api.POST("/api/v1/workspaces/{workspace}/runs/{run_id}/commands", { params: { path }, body }),
    ),
  );
}

/** Run the same again, as a new run, which is given back. */
export async function reproduce({ workspace, run_id: old }: Place): Promise<RelatedRun> {
  const params = { path: { workspace, run_id: old } };
  const body = {
    run_id: newRunId(),
    command_id: newCommandId(),
    created_by: "",
    display_name: null,
  };
  const address = "/api/v1/workspaces/{workspace}/runs/{run_id}/reproduce";
  const { watermark } = await persistently(() => ask(api.POST(address, { params, body })));
  // It is there once a read has seen it; before, its page would say that there is no such run.
  const made = {
    path: { workspace, run_id: body.run_id },
    query: { watermark: watermark ? [watermark] : [] },
  };
  return persistently(() =>
    ask(api.GET("/api/v1/workspaces/{workspace}/runs/{run_id}", { params: made })),
  );
}

/** Do something that may be done twice until somebody answers, a few times. */
async function persistently<T>(request: () => Promise<T>): Promise<T> {
  for (let left = TRIES - 1; ; left -= 1) {
    try {
      return await request();
    } catch (error) {
      if (left === 0 || !(error instanceof ApiFailure && error.isPassing)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
