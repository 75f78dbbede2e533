/** Other runs that a run's page names: what it came from, what came of it, what it waits for. */

import { api, ask, type Schemas } from "../api/client";

export type RelatedRun = Pick<Schemas["RunSummary"], "run_id" | "display_name">;
type Related = { runs: RelatedRun[]; hasMore: boolean };

const RUNS = "/api/v1/workspaces/{workspace}/runs";

/** How many are named; where there are more, a page says so. */
export const MOST_NAMED = 3;

/** These runs as far as they are (still) there, in the order asked for. */
export async function readNamed(
  workspace: string,
  runIds: readonly string[],
  watermark: string[],
): Promise<RelatedRun[]> {
  if (runIds.length === 0) return [];
  const params = { path: { workspace }, query: { run: [...runIds], watermark } };
  const { runs } = await ask(api.GET(RUNS, { params }));
  return runIds.flatMap((id) => runs.filter(({ run_id }) => run_id === id));
}

/** The newest runs that reproduce this one. */
export async function readReproductions(
  workspace: string,
  run_id: string,
  watermark: string[],
): Promise<Related> {
  const query = {
    reproduces: run_id,
    children: true,
    archived: "all",
    limit: MOST_NAMED,
    watermark,
  } as const;
  const found = await ask(api.GET(RUNS, { params: { path: { workspace }, query } }));
  return { runs: found.runs, hasMore: found.next_cursor !== null };
}
