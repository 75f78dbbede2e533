/** The names that the runs of an experiment use: what columns and filters are offered. */

import { Refresher } from "../api/refresher";
import { type UsedNames, withNames } from "./columns";
import { readNames } from "./reads";

/** Runs are asked what they use at most so often, and so many at once. */
const LEARN_MS = 1_000;
const MOST_AT_ONCE = 100;

export class UsedNamesOf {
  /** null: not known yet */
  names = $state.raw<UsedNames | null>(null);
  /** What the usual columns are made of: these do not move while somebody looks at them, but the first
   * metric of all is waited for. */
  usual = $state.raw<UsedNames | null>(null);
  failure = $state.raw<unknown>(null);
  #workspace = "";
  #of = "";
  #last = 0;
  #met = new Set<string>();
  readonly #learner = new Refresher((watermarks) => this.#learn(watermarks), LEARN_MS);

  /** Read them unless they are here, or on their way. */
  async need(workspace: string, experiment: string | null): Promise<void> {
    if (JSON.stringify([workspace, experiment]) === this.#of && this.failure === null) return;
    await this.load(workspace, experiment);
  }

  /** Read them; those of before stay until then, if they are of the same experiment. */
  async load(
    workspace: string,
    experiment: string | null,
    watermarks: readonly string[] = [],
  ): Promise<void> {
    const of = JSON.stringify([workspace, experiment]);
    if (of !== this.#of) this.names = this.usual = null;
    [this.#of, this.#workspace] = [of, workspace];
    const ticket = (this.#last += 1);
    try {
      const names = await readNames(workspace, { experiment }, watermarks);
      if (ticket !== this.#last) return;
      this.names = this.usual = names;
      this.failure = null;
    } catch (error) {
      if (ticket === this.#last) this.failure = error;
    }
  }

  /** These runs may use names that are not known yet; a read with the watermarks sees them. */
  meet(runIds: Iterable<string>, watermarks: readonly string[]): void {
    for (const runId of runIds) this.#met.add(runId);
    this.#learner.poke(...watermarks);
  }

  /** A run has logged these metrics. */
  meetMetrics(runId: string, keys: readonly string[], watermark: string): void {
    const known = new Set(this.names?.metrics.map(({ name }) => name));
    if (keys.some((key) => !known.has(key))) this.meet([runId], [watermark]);
  }

  close(): void {
    this.#learner.stop();
  }

  async #learn(watermarks: string[]): Promise<void> {
    const runIds = [...this.#met].slice(0, MOST_AT_ONCE);
    if (runIds.length === 0) return;
    for (const runId of runIds) this.#met.delete(runId);
    const of = this.#of;
    // What cannot be read now is met again, or read with the page.
    const found = await readNames(this.#workspace, { runIds }, watermarks).catch(() => null);
    if (found && this.names && of === this.#of) {
      this.names = withNames(this.names, found);
      if (this.usual?.metrics.length === 0) this.usual = this.names;
    }
    if (this.#met.size > 0) this.#learner.poke();
  }
}
