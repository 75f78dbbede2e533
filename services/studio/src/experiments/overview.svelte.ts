/** The experiments, loaded and then kept up to date by what the gateway pushes. */

import { untrack } from "svelte";
import { api, ask } from "../api/client";
import { follow } from "../api/live";
import { Refresher } from "../api/refresher";
import { printQuery, type Query } from "../router/routes";
import { isTerminal } from "../design/status";
import { type Experiment, keepingPlaces, type Value, withPoints } from "./overview";

/** So many runs' points are followed; the others' show when a status changes. */
const MOST_FOLLOWED = 50;

type Points = {
  run_id: string;
  keys: string[];
  key_index: number[];
  steps: number[];
  values: Value[];
};

type Watermarks = { watermark?: string; watermarks?: string[] };

/** The stream begins, has too much to send, or was left behind. */
const LOAD_ANEW = new Set(["begin", "moved", "reset"]);

export class Overview {
  /** null: not loaded yet */
  experiments = $state.raw<Experiment[] | null>(null);
  failure = $state.raw<unknown>(null);

  readonly #workspace: string;
  readonly #archived: boolean;
  #refresher = new Refresher((watermarks) => this.#load(watermarks));

  constructor(workspace: string, archived: boolean) {
    this.#workspace = workspace;
    this.#archived = archived;
  }

  /** The runs whose points are worth following: those that stand for an experiment and go on. */
  readonly #going = $derived(
    (this.experiments ?? [])
      .flatMap(({ main_metric: metric }) => (metric && !isTerminal(metric.status) ? [metric] : []))
      .slice(0, MOST_FOLLOWED)
      .map((metric) => metric.run_id)
      .join(" "),
  );

  /** Load, and follow until the returned function is called. Call it in an effect. */
  start(): () => void {
    const refresher = new Refresher((watermarks) => this.#load(watermarks));
    this.#refresher = refresher;
    untrack(() => refresher.poke());
    let wasLive = false;
    const stop = follow(this.#stream("events", { type: ["run.*", "experiment.*"] }), {
      onMessage: ({ data }) => refresher.poke(...watermarksOf(data)),
      onState: (state) => {
        // What happened between the first load and the beginning of the stream.
        if (state === "live" && !wasLive) refresher.poke();
        wasLive ||= state === "live";
      },
      onLost: () => refresher.poke(),
    });
    return () => {
      stop();
      refresher.stop();
    };
  }

  /** Follow the points of the runs that go on now. Call it in an effect of its own. */
  followPoints(): (() => void) | undefined {
    if (this.#going === "") return undefined;
    return follow(this.#stream("live", { run: this.#going.split(" "), points: "true" }), {
      onMessage: ({ event, data }) => {
        if (event === "points") this.#take(JSON.parse(data) as Points);
        else if (LOAD_ANEW.has(event)) this.#refresher.poke(...watermarksOf(data));
      },
    });
  }

  #stream(name: string, query: Query): string {
    return `/api/v1/workspaces/${encodeURIComponent(this.#workspace)}/${name}${printQuery(query)}`;
  }

  retry(): void {
    this.#refresher.poke();
  }

  async #load(watermark: string[]): Promise<void> {
    const query = { archived: this.#archived ? ("all" as const) : ("false" as const), watermark };
    const params = { path: { workspace: this.#workspace }, query };
    try {
      const path = "/api/v1/workspaces/{workspace}/overview";
      const { experiments } = await ask(api.GET(path, { params }));
      this.experiments = keepingPlaces(this.experiments ?? [], experiments);
      this.failure = null;
    } catch (error) {
      this.failure = error;
    }
  }

  #take({ run_id, keys, key_index, steps, values }: Points): void {
    this.experiments = (this.experiments ?? []).map((experiment) => {
      const metric = experiment.main_metric;
      if (metric?.run_id !== run_id) return experiment;
      const key = keys.indexOf(metric.key) + 1;
      const points = key_index.flatMap((index, i) =>
        index === key ? [{ step: steps[i] ?? 0, value: values[i] ?? ("NaN" as const) }] : [],
      );
      return points.length > 0
        ? { ...experiment, main_metric: withPoints(metric, points) }
        : experiment;
    });
  }
}

/** What a message says is to be waited for. */
function watermarksOf(data: string): string[] {
  const { watermark, watermarks } = JSON.parse(data) as Watermarks;
  return watermarks ?? (watermark === undefined ? [] : [watermark]);
}
