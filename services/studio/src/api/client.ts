/**
 * The gateway's HTTP interface, typed by its OpenAPI document (schema.ts is generated from it).
 *
 *     const { experiments } = await ask(api.GET("/api/v1/workspaces/{workspace}/experiments", …));
 */

import createClient from "openapi-fetch";
import { ApiFailure, failureOf, unreachable } from "./failure";
import type { components, paths } from "./schema";
import { token } from "./token.svelte";

/** The gateway's types by their names: `Schemas["ExperimentSummary"]`. */
export type Schemas = components["schemas"];

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: (request) => authorised(request),
});

type Answer<T> = { data?: T; error?: unknown; response: Response };

/**
 * The body of the answer to a request.
 *
 * @throws ApiFailure the gateway said no, or did not answer
 * @throws DOMException AbortError: the caller gave up
 */
export async function ask<T>(request: Promise<Answer<T>>): Promise<T> {
  const answer = await request.catch((error: unknown) => {
    throw unreachable(error);
  });
  if (!answer.response.ok) throw failureOf(answer.response.status, answer.error);
  return answer.data as T;
}

/**
 * An answer that is no JSON: bytes of a file, columns of a curve. Throws as `ask` does.
 */
export async function fetchRaw(address: string, init: RequestInit = {}): Promise<Response> {
  const request = new Request(address, init);
  const response = await authorised(request).catch((error: unknown) => {
    throw unreachable(error);
  });
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  throw failureOf(response.status, body);
}

/** Send a request with the token, if there is one; a 401 makes the shell ask for it. */
async function authorised(request: Request): Promise<Response> {
  for (const [name, value] of Object.entries(token.headers())) request.headers.set(name, value);
  const response = await fetch(request);
  token.heard(response.status);
  return response;
}

export { ApiFailure };
