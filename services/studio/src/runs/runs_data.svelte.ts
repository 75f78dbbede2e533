/** What the Runs page shows: read as its address says, and kept up to date by what is pushed. */

import { untrack } from "svelte";
import { ApiFailure } from "../api/failure";
import { waitBefore } from "../api/live";
import type { RunsView } from "./address";
import type { RunRow } from "./cells";
import {
  type Column,
  defaultColumns,
  firstColumns,
  isMetric,
  NO_NAMES,
  parseColumns,
  type UsedNames,
} from "./columns";
import { followMetrics, followRuns } from "./follow_runs";
import { UsedNamesOf } from "./names.svelte";
import type { Question } from "./reads";
import { RunTable } from "./run_table.svelte";

type Asked = () => { workspace: string; view: RunsView };

/** Make one while a component is made: it lives as long. */
export class RunsData {
  readonly table: RunTable;
  readonly #used = new UsedNamesOf();
  readonly #asked: Asked;
  readonly #known = $derived(this.#used.names ?? (this.#used.failure === null ? null : NO_NAMES));

  /** the names that the runs use */
  readonly names: UsedNames = $derived(this.#known ?? NO_NAMES);

  readonly columns: Column[] = $derived.by(() => {
    const { view } = this.#asked();
    const scope = { ofOneExperiment: view.experiment !== null };
    const usual = this.#used.usual ?? this.#known;
    return parseColumns(
      view.columns ?? (usual ? defaultColumns(usual, scope) : firstColumns(scope)),
    );
  });

  readonly #question: Question = $derived.by(() => {
    const { workspace, view } = this.#asked();
    // By what the rows are sorted is read with them: only then it is seen when that changes.
    const sortedBy = parseColumns([view.sort.replace(/^-/, "")]);
    const read = [...this.columns, ...sortedBy].filter(({ kind }) => kind !== "attribute");
    return { ...view, workspace, columns: [...new Set(read.map(({ id }) => id))] };
  });

  /** the runs whose metrics are worth following, joined */
  readonly #followed = $derived.by(() => {
    const hasNoMetrics = this.#known?.metrics.length === 0;
    return hasNoMetrics || this.columns.some(isMetric) ? this.table.going : "";
  });

  constructor(asked: Asked, onRows: (rows: readonly RunRow[]) => void) {
    this.#asked = asked;
    this.table = new RunTable(onRows);
    // The first rows are asked for before anything is drawn, and all else when they are here; but
    // charts wait for the metrics' names.
    untrack(() => {
      this.table.show(this.#question);
      const { workspace, view } = asked();
      if (view.charts || view.selected.length > 0) {
        void this.#used.need(workspace, view.experiment);
      }
    });
    $effect(() => {
      const question = this.#question;
      untrack(() => {
        this.table.show(question);
      });
    });
    $effect(() => this.#followRuns());
    $effect(() => this.#followMetrics());
    $effect(() => this.#retryLater());
    $effect(() => () => {
      this.table.close();
      this.#used.close();
    });
  }

  /** Everything anew, new runs included, from the top. */
  renew = (): void => {
    void this.table.renew();
    this.readNames();
  };

  /** Read what could not be read. */
  retry = (): void => {
    if (this.#used.failure !== null) this.readNames();
    this.table.retry(this.#question);
  };

  /** The names anew, as new as the watermarks. */
  readNames(watermarks: readonly string[] = []): void {
    const { workspace, view } = this.#asked();
    void this.#used.load(workspace, view.experiment, watermarks);
  }

  #followRuns(): (() => void) | undefined {
    const { opened } = this.table;
    if (opened === null) return undefined;
    const { workspace, experiment, at } = opened;
    untrack(() => void this.#used.need(workspace, experiment));
    return followRuns({
      workspace,
      experiment,
      at,
      take: async (batch) => {
        await this.table.take(batch);
        this.#used.meet(batch.runIds, batch.watermarks);
      },
      onLost: this.renew,
    });
  }

  #followMetrics(): (() => void) | undefined {
    if (this.#followed === "") return undefined;
    return followMetrics({
      workspace: this.#asked().workspace,
      runIds: this.#followed.split(","),
      take: (batch) => this.table.take(batch),
      onKeys: (runId, keys, watermark) => {
        this.#used.meetMetrics(runId, keys, watermark);
      },
    });
  }

  /** What fails because the gateway is away for a moment is asked for again. */
  #attempts = 0;
  #retryLater(): (() => void) | undefined {
    const failure = this.table.failure ?? this.#used.failure;
    if (failure === null) this.#attempts = 0;
    if (!(failure instanceof ApiFailure) || !failure.isPassing) return undefined;
    const timer = setTimeout(this.retry, waitBefore((this.#attempts += 1)));
    return () => {
      clearTimeout(timer);
    };
  }
}
