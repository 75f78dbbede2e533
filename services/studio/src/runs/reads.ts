/** What the Runs page asks the gateway. */

import { api, ask, fetchRaw, type Schemas } from "../api/client";
import { type Curve, decodeCurves } from "../charts/curves";
import { printQuery } from "../router/routes";
import { type Asked, questionOf } from "./address";
import type { RunRow } from "./cells";
import type { UsedNames } from "./columns";

export type Question = Asked & { workspace: string; columns: readonly string[] };

type Window = {
  offset: number;
  limit: number;
  asOf: string | null;
  watermarks: readonly string[];
  signal?: AbortSignal;
};

type Status = Schemas["RunStatus"];

/** `at`: when it was answered, by the gateway's clock; null: it does not say. */
export type TableAnswer = Schemas["RunTable"] & { at: Date | null };

/** Rows of the table that is asked for; `asOf` of an earlier answer: in the order that it had. */
export async function readTable(question: Question, window: Window): Promise<TableAnswer> {
  const { status, ...which } = questionOf(question);
  const answer = api.GET("/api/v1/workspaces/{workspace}/runs/table", {
    params: {
      path: { workspace: question.workspace },
      query: {
        ...which,
        ...(status ? { status: status as Status[] } : {}),
        column: [...question.columns],
        sort: question.sort,
        offset: window.offset,
        limit: window.limit,
        ...(window.asOf === null ? {} : { as_of: window.asOf }),
        watermark: [...window.watermarks],
      },
    },
    ...(window.signal ? { signal: window.signal } : {}),
  });
  const table = await ask(answer);
  const date = (await answer).response.headers.get("date");
  return { ...table, at: date === null ? null : new Date(date) };
}

/** The rows of these runs, wherever they stand. */
export async function readRuns(workspace: string, runIds: readonly string[]): Promise<RunRow[]> {
  const { rows } = await ask(
    api.GET("/api/v1/workspaces/{workspace}/runs/table", {
      params: { path: { workspace }, query: { run: [...runIds], limit: 1_000 } },
    }),
  );
  return rows;
}

type NamesAsked = { experiment: string | null } | { runIds: readonly string[] };

/** The names that these runs use, for columns and filters. */
export function readNames(
  workspace: string,
  asked: NamesAsked,
  watermarks: readonly string[] = [],
): Promise<UsedNames> {
  const which =
    "runIds" in asked
      ? { run: [...asked.runIds] }
      : asked.experiment === null
        ? {}
        : { experiment: asked.experiment };
  return ask(
    api.GET("/api/v1/workspaces/{workspace}/runs/columns", {
      params: { path: { workspace }, query: { ...which, watermark: [...watermarks] } },
    }),
  );
}

export type BulkCommand =
  | { type: "cancel"; reason: string }
  | { type: "archive" }
  | { type: "reactivate" }
  | { type: "set_tags"; tags: Record<string, string> }
  | { type: "remove_tags"; names: string[] };

/** Give many runs the same command. A repetition with the same id changes nothing twice. */
export async function sendToMany(
  workspace: string,
  runIds: readonly string[],
  command: BulkCommand,
  commandId: string,
): Promise<Schemas["BulkOutcome"][]> {
  const { results } = await ask(
    api.POST("/api/v1/workspaces/{workspace}/commands", {
      params: { path: { workspace } },
      body: { run_ids: [...runIds], command: { ...command, command_id: commandId, at: null } },
    }),
  );
  return results;
}

type CurvesAsked = {
  runIds: readonly string[];
  key: string;
  range: { from: number; to: number } | null;
  points: number;
  watermarks: readonly string[];
  signal: AbortSignal;
};

/** The curves of one key, over the steps of a range or over all. */
export async function readCurves(workspace: string, asked: CurvesAsked): Promise<Curve[]> {
  const query = printQuery({
    run: asked.runIds,
    key: asked.key,
    from: asked.range?.from,
    to: asked.range?.to,
    points: asked.points,
    watermark: asked.watermarks,
  });
  const address = `/api/v1/workspaces/${encodeURIComponent(workspace)}/curves${query}`;
  const response = await fetchRaw(address, { signal: asked.signal });
  return decodeCurves(await response.arrayBuffer()).curves;
}
