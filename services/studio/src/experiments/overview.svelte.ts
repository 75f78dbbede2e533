/** The experiments, loaded and then kept up to date by what the gateway pushes. */

import { fetchRaw } from "../api/client";
import { follow } from "../api/live";
import { Refresher } from "../api/refresher";
import { printQuery } from "../router/routes";
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

export class Overview {
  /** null: not loaded yet */
  experiments = $state.raw<Experiment[] | null>(null);
  failure = $state.raw<unknown>(null);

  readonly #base: string;
  readonly #archived: boolean;
  readonly #refresher = new Refresher((watermarks) => this.#load(watermarks));

  constructor(workspace: string, archived: boolean) {
    this.#base = `/api/v1/workspaces/${encodeURIComponent(workspace)}`;
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
    this.#refresher.poke();
    let wasLive = false;
    const stop = follow(`${this.#base}/events${printQuery(WATCHED)}`, {
      onMessage: ({ data }) => this.#refresher.poke(watermarkOf(data)),
      onState: (state) => {
        // What happened between the first load and the beginning of the stream.
        if (state === "live" && !wasLive) this.#refresher.poke();
        wasLive ||= state === "live";
      },
      onLost: () => this.#refresher.poke(),
    });
    return () => {
      stop();
      this.#refresher.stop();
    };
  }

  /** Follow the points of the runs that go on now. Call it in an effect of its own. */
  followPoints(): (() => void) | undefined {
    if (this.#going === "") return undefined;
    const query = printQuery({ run: this.#going.split(" "), points: "true" });
    return follow(`${this.#base}/live${query}`, {
      onMessage: ({ event, data }) => {
        if (event === "points") this.#take(JSON.parse(data) as Points);
        else if (event === "moved" || event === "reset") this.#refresher.poke();
      },
    });
  }

  retry(): void {
    this.#refresher.poke();
  }

  async #load(watermark: string[]): Promise<void> {
    const query = printQuery({ archived: this.#archived ? "all" : null, watermark });
    try {
      const response = await fetchRaw(`${this.#base}/overview${query}`);
      const { experiments } = (await response.json()) as { experiments: Experiment[] };
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

const WATCHED = { type: ["run.*", "experiment.*"] };

function watermarkOf(data: string): string | null {
  const { watermark } = JSON.parse(data) as { watermark?: string };
  return watermark ?? null;
}
