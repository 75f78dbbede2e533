/** The names that the runs of an experiment use: what columns and filters are offered. */

import type { UsedNames } from "./columns";
import { readNames } from "./reads";

export class UsedNamesOf {
  /** null: not known yet */
  names = $state.raw<UsedNames | null>(null);
  failure = $state.raw<unknown>(null);
  #of = "";
  #last = 0;

  /** Learn them; those of before stay until then, if they are of the same experiment. */
  async load(
    workspace: string,
    experiment: string | null,
    watermarks: readonly string[] = [],
  ): Promise<void> {
    const of = JSON.stringify([workspace, experiment]);
    if (of !== this.#of) this.names = null;
    this.#of = of;
    const ticket = (this.#last += 1);
    try {
      const names = await readNames(workspace, experiment, watermarks);
      if (ticket === this.#last) [this.names, this.failure] = [names, null];
    } catch (error) {
      if (ticket === this.#last) this.failure = error;
    }
  }
}
