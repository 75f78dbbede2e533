/**
 * The curves that are in sight, loaded together, and grown by what is pushed. Keys are wanted while
 * their charts are near the window; of what nobody sees, nothing is loaded.
 */

import { SvelteMap } from "svelte/reactivity";
import { fetchRaw } from "../../api/client";
import { type Curve, type CurveSet, decodeCurves, NOTHING_SPECIAL } from "../../charts/curves";
import { type Arrived, extend } from "../../charts/growth";
import type { Range } from "../../charts/ranges";
import { printQuery } from "../../router/routes";
import type { RunFeed } from "../feed.svelte";
import { type FeedMessage, type Points, pointsByKey } from "../feed_messages";

/** What part of the curves to show; `attempt`: "latest" or a number. */
export type BoardView = {
  x: "step" | "time";
  range: Range | null;
  attempt: string;
  points: number;
};

const KEYS_AT_ONCE = 50;
/** So many curves are kept that are out of sight; others are loaded again. */
const KEPT = 100;
/** Pushed points are drawn together, so often at most. */
const GROW_MS = 100;

export class CurveBoard {
  readonly curves = new SvelteMap<string, Curve>();
  failure = $state.raw<unknown>(null);

  readonly #feed: RunFeed;
  #view: BoardView;
  readonly #wanted = new Map<string, number>();
  /** the newest read of each key, by its number; of a key that is not here, another one is due */
  readonly #asked = new Map<string, number>();
  /** the read that each curve is of: answers come in any order, and no older one shall win */
  readonly #shown = new Map<string, number>();
  #reads = 0;
  /** of the grid of each key's buckets */
  readonly #widths = new Map<string, number | null>();
  #generation = 0;
  #arrived: Points[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isScheduled = false;

  constructor(feed: RunFeed, view: BoardView) {
    this.#feed = feed;
    this.#view = view;
  }

  /** Grow with what is pushed, until the returned function is called. */
  start(): () => void {
    const stop = this.#feed.listen((message) => {
      this.#hear(message);
    });
    return () => {
      stop();
      clearTimeout(this.#timer);
      this.#generation += 1;
    };
  }

  /** Load the curve of a key, and keep it up to date until the returned function is called. */
  want(key: string): () => void {
    this.#wanted.set(key, (this.#wanted.get(key) ?? 0) + 1);
    this.#schedule();
    return () => {
      const left = (this.#wanted.get(key) ?? 1) - 1;
      if (left > 0) this.#wanted.set(key, left);
      else this.#wanted.delete(key);
      this.#forget();
    };
  }

  /** Let go of what was loaded first of the curves out of sight, if there are too many. */
  #forget(): void {
    const unseen = [...this.curves.keys()].filter((key) => !this.#wanted.has(key));
    for (const key of unseen.slice(0, Math.max(0, unseen.length - KEPT))) {
      this.curves.delete(key);
      this.#asked.delete(key);
    }
  }

  /** Show another part; the old curves stay until the new ones are here. */
  show(view: BoardView): void {
    this.#view = view;
    this.reload();
  }

  /** Load anew all that is in sight; the rest when it comes in sight. */
  reload(): void {
    this.#generation += 1;
    this.#asked.clear();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      const missing = [...this.#wanted.keys()].filter((key) => !this.#asked.has(key));
      for (let at = 0; at < missing.length; at += KEYS_AT_ONCE) {
        void this.#load(missing.slice(at, at + KEYS_AT_ONCE));
      }
    });
  }

  async #load(keys: string[]): Promise<void> {
    const read = (this.#reads += 1);
    for (const key of keys) this.#asked.set(key, read);
    const generation = this.#generation;
    const { x, range, attempt, points } = this.#view;
    const query = { run: this.#feed.runId, key: keys, x, attempt, points, from: range?.from, to: range?.to }; // prettier-ignore
    const workspace = encodeURIComponent(this.#feed.workspace);
    try {
      const request = async (watermark: string[]): Promise<CurveSet> => {
        const address = `/api/v1/workspaces/${workspace}/curves${printQuery({ ...query, watermark })}`;
        return decodeCurves(await (await fetchRaw(address)).arrayBuffer());
      };
      await this.#feed.load(request, (answer, since) => {
        if (generation !== this.#generation) return;
        const newer = keys.filter((key) => (this.#shown.get(key) ?? 0) < read);
        const found = new Map(answer.curves.map((curve) => [curve.key, curve]));
        for (const key of newer) {
          this.#shown.set(key, read);
          this.curves.set(key, found.get(key) ?? emptyCurve(this.#feed.runId, key));
          this.#widths.set(key, answer.width);
        }
        this.failure = null;
        const pushed = since.filter((message) => message.event === "points");
        this.#grow(pushed.map(({ data }) => data), new Set(newer)); // prettier-ignore
      });
    } catch (error) {
      if (generation !== this.#generation) return;
      const missed = keys.filter((key) => this.#asked.get(key) === read);
      if (missed.length === 0) return; // all of it was asked for anew
      for (const key of missed) this.#asked.delete(key);
      this.failure = error;
    }
  }

  #hear(message: FeedMessage): void {
    if (message.event === "points") {
      this.#arrived.push(message.data);
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        const arrived = this.#arrived;
        this.#arrived = [];
        this.#grow(arrived, null);
      }, GROW_MS);
    } else if (message.event === "moved") {
      this.#again(message.data.keys);
    }
  }

  /** Load these keys anew, if they are in sight, else when they are. */
  #again(keys: Iterable<string>): void {
    for (const key of keys) this.#asked.delete(key);
    this.#schedule();
  }

  /** Add points to the curves; `only`: to those of these keys. */
  #grow(batches: readonly Points[], only: ReadonlySet<string> | null): void {
    const large: string[] = [];
    const mine = batches.filter((batch) => !this.#isOfOther(batch));
    for (const [key, points] of pointsByKey(...mine)) {
      if (only && !only.has(key)) continue;
      if (!this.#wanted.has(key)) {
        this.#asked.delete(key);
        continue;
      }
      const curve = this.curves.get(key);
      if (!curve) continue; // on its way
      const width = this.#widths.get(key) ?? null;
      const grown = extend(curve, this.#inRange(points), this.#view.x, width);
      if (grown !== curve) this.curves.set(key, grown);
      const rows = grown.kind === "points" ? grown.values.length : grown.last.values.length;
      if (rows > 2 * this.#view.points) large.push(key);
    }
    if (large.length > 0) this.#again(large);
  }

  #isOfOther(batch: Points): boolean {
    const { attempt } = this.#view;
    return attempt !== "latest" && attempt !== String(batch.attempt);
  }

  #inRange(points: Arrived): Arrived {
    const { range, x } = this.#view;
    if (!range) return points;
    const places = x === "step" ? points.steps : points.times;
    const rows = [...places.keys()].filter((i) => {
      const place = places[i] ?? NaN;
      return place >= range.from && place <= range.to;
    });
    return {
      steps: rows.map((i) => points.steps[i] ?? 0),
      times: rows.map((i) => points.times[i] ?? 0),
      values: rows.map((i) => points.values[i] ?? NaN),
    };
  }
}

function emptyCurve(runId: string, key: string): Curve {
  const nothing = new Float64Array();
  return {
    runId,
    key,
    attempt: null,
    count: 0,
    special: NOTHING_SPECIAL,
    kind: "points",
    steps: nothing,
    times: nothing,
    values: nothing,
  };
}
