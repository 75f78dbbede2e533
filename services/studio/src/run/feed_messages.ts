/** What `GET /live` says of a run; pure. */

import type { ServerMessage } from "../api/event_stream";

export type Points = {
  run_id: string;
  attempt: number;
  keys: string[];
  /** point i is of keys[key_index[i] - 1] */
  key_index: number[];
  steps: number[];
  times: number[];
  values: (number | string)[];
  watermark: string;
};

export type Lines = {
  run_id: string;
  attempt: number;
  streams: string[];
  times: number[];
  lines: string[];
  offset: number;
  watermark: string;
};

export type FeedMessage =
  | { event: "begin" | "reset"; data: { watermarks: string[] } }
  | { event: "event"; data: { type: string; watermark?: string; data: Record<string, unknown> } }
  | { event: "points"; data: Points }
  | { event: "moved"; data: { run_id: string; keys: string[]; watermark: string } }
  | { event: "lines"; data: Lines }
  | { event: "more_lines"; data: { run_id: string; lines: number; watermark: string } };

/** A message as it was pushed; of a kind that this page does not know: null. */
export function readMessage({ event, data }: ServerMessage): FeedMessage | null {
  const known = ["begin", "reset", "event", "points", "moved", "lines", "more_lines"];
  return known.includes(event)
    ? ({ event, data: JSON.parse(data) as unknown } as FeedMessage)
    : null;
}

/** The watermarks of what a message tells of. */
export function watermarksOf(message: FeedMessage): string[] {
  const { data } = message;
  if ("watermarks" in data) return data.watermarks;
  return data.watermark ? [data.watermark] : [];
}

export type PointsOfKey = { steps: number[]; times: number[]; values: (number | string)[] };

/** The points of batches by their keys, in the order in which they came. */
export function pointsByKey(...batches: readonly Points[]): Map<string, PointsOfKey> {
  const found = new Map<string, PointsOfKey>();
  for (const { keys, key_index: places, steps, times, values } of batches) {
    for (const [i, place] of places.entries()) {
      const key = keys[place - 1];
      const value = values[i];
      if (key === undefined || value === undefined) continue;
      const points = found.get(key) ?? { steps: [], times: [], values: [] };
      found.set(key, points);
      points.steps.push(steps[i] ?? 0);
      points.times.push(times[i] ?? 0);
      points.values.push(value);
    }
  }
  return found;
}
