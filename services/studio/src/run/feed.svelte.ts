/**
 * One run, live: its details, the summaries of its series, and what is pushed about it, in one stream.
 *
 * A read is given watermarks, so that it sees all that was pushed some seconds ago and before; what
 * was pushed since is applied to its answer once more (`since`), and everything can be applied twice.
 * So a read need not wait for what was logged just now, and still nothing is missed. Whenever `epoch`
 * changes (the stream has begun, or the page was away for too long), everything is loaded anew.
 */

import { api, ask, type Schemas } from "../api/client";
import { follow } from "../api/live";
import { printQuery } from "../router/routes";
import { InTurn } from "./in_turn";
import { type FeedMessage, pointsByKey, readMessage, watermarksOf } from "./feed_messages";
import { type SeriesSummary, summaryWith } from "./series";
import { mergeWatermarks } from "../api/watermarks";

export type RunDetails = Schemas["RunDetails"];
export type Listener = (message: FeedMessage) => void;

const BASE = "/api/v1/workspaces/{workspace}/runs/{run_id}";
/** What was pushed so long ago is in the tables, or nearly. */
const SETTLED_MS = 5_000;
const ALONE_MS = 500;

export class RunFeed {
  readonly workspace: string;
  readonly runId: string;

  details = $state.raw<RunDetails | null>(null);
  /** why the details are not here */
  failure = $state.raw<unknown>(null);
  /** summaries by key, of the latest of all attempts, those of the system too; null: not here yet */
  series = $state.raw<ReadonlyMap<string, SeriesSummary> | null>(null);
  epoch = $state(0);
  /** nothing will be pushed: what was loaded is all that there will be */
  isAlone = $state(false);

  #settled: string[] = [];
  #recent: { at: number; message: FeedMessage }[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #loadDetails = new InTurn(() => this.#readDetails());
  readonly #loadSeries = new InTurn(() => this.#readSeries());

  constructor(workspace: string, runId: string) {
    this.workspace = workspace;
    this.runId = runId;
  }

  /** What a read has to have seen; what was pushed just now is in `since` of `load`. */
  get watermarks(): string[] {
    return this.#settled;
  }

  /** The path of something of this run. */
  path(below: string): string {
    return `/api/v1/workspaces/${encodeURIComponent(this.workspace)}/runs/${this.runId}/${below}`;
  }

  /** Load and follow, until the returned function is called. */
  start(): () => void {
    let wasCut = false;
    // The stream's `begin` has everything loaded. Where it does not come soon, the page need not wait.
    const alone = setTimeout(() => {
      if (this.epoch > 0) return;
      void this.reload();
      void this.reloadSeries();
    }, ALONE_MS);
    const workspace = encodeURIComponent(this.workspace);
    // Away for too long: then the stream begins again, and its `begin` has everything loaded anew.
    const stop = follow(`/api/v1/workspaces/${workspace}/live${printQuery({ run: this.runId })}`, {
      onMessage: (message) => {
        const read = readMessage(message);
        if (read) this.#take(read);
      },
      onState: (state) => {
        if (state === "refused") this.isAlone = true;
        // What was pushed is not missed; but reads may have failed meanwhile.
        if (state === "live" && wasCut) this.#loadAnew();
        wasCut = state === "waiting" || (wasCut && state !== "live");
      },
    });
    return () => {
      clearTimeout(alone);
      stop();
    };
  }

  /** Hear what is pushed from now on; returns how to stop. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * Ask for something with the watermarks that it needs, and `take` the answer together with what was
   * pushed that it may not have seen. Whoever has taken it hears what comes next by `listen`: nothing
   * is pushed in between.
   */
  async load<T>(
    request: (watermark: string[]) => Promise<T>,
    take: (answer: T, since: readonly FeedMessage[]) => void,
  ): Promise<void> {
    this.#settle();
    const since = this.#recent.map(({ message }) => message);
    const stop = this.listen((message) => since.push(message));
    try {
      take(await request(this.#settled), since);
    } finally {
      stop();
    }
  }

  /** Load the details anew; `watermark`: of what they shall have seen. */
  async reload(watermark?: string | null): Promise<void> {
    if (watermark) this.#settled = mergeWatermarks(this.#settled, [watermark]);
    await this.#loadDetails.want();
  }

  /** Load the summaries anew. */
  async reloadSeries(): Promise<void> {
    await this.#loadSeries.want();
  }

  async #readDetails(): Promise<void> {
    try {
      this.details = await ask(api.GET(BASE, { params: this.#params(this.#settled) }));
      this.failure = null;
    } catch (error) {
      this.failure = error;
    }
  }

  async #readSeries(): Promise<void> {
    try {
      const request = (watermark: string[]): Promise<Schemas["SeriesList"]> => {
        const { path, query } = this.#params(watermark);
        const params = { path, query: { ...query, system: true } };
        return ask(api.GET(`${BASE}/series`, { params }));
      };
      await this.load(request, (answer, since) => {
        this.series = new Map(answer.series.map((one) => [one.key, one]));
        for (const message of since) this.#summarise(message);
      });
    } catch (error) {
      this.failure ??= error;
    }
  }

  #params(watermark: string[]): {
    path: { workspace: string; run_id: string };
    query: { watermark: string[] };
  } {
    return { path: { workspace: this.workspace, run_id: this.runId }, query: { watermark } };
  }

  /** Demand of reads what was pushed a while ago; only the rest has to be applied again. */
  #settle(): void {
    const before = Date.now() - SETTLED_MS;
    const old = this.#recent.filter(({ at }) => at < before);
    if (old.length === 0) return;
    this.#recent = this.#recent.slice(old.length);
    const more = old.flatMap(({ message }) => watermarksOf(message));
    this.#settled = mergeWatermarks(this.#settled, more);
  }

  #take(message: FeedMessage): void {
    if (message.event === "begin" || message.event === "reset") {
      this.#recent = [];
      this.#settled = mergeWatermarks(this.#settled, message.data.watermarks);
      this.#loadAnew();
    } else {
      this.#settle();
      this.#recent.push({ at: Date.now(), message });
      // Only reads bring what was too much to be pushed.
      if (message.event === "moved" || message.event === "more_lines") {
        this.#settled = mergeWatermarks(this.#settled, [message.data.watermark]);
      }
      if (message.event === "event") void this.reload(message.data.watermark);
      else if (message.event === "moved") void this.reloadSeries();
      else this.#summarise(message);
    }
    for (const listener of this.#listeners) listener(message);
  }

  #loadAnew(): void {
    this.epoch += 1;
    void this.reload();
    void this.reloadSeries();
  }

  #summarise(message: FeedMessage): void {
    if (message.event !== "points" || !this.series) return;
    const series = new Map(this.series);
    for (const [key, arrived] of pointsByKey(message.data)) {
      series.set(key, summaryWith(series.get(key), key, arrived));
    }
    this.series = series;
  }
}
