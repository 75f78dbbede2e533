/** The names that the runs of an experiment use: what columns and filters are offered. */

import type { UsedNames } from "./columns";
import { readNames } from "./reads";

export class UsedNamesOf {
  /** null: not known yet */
  names = $state.raw<UsedNames | null>(null);
  failure = $state.raw<unknown>(null);
  #last = 0;

  /** Learn them; those of before stay until then. */
  async load(workspace: string, experiment: string | null): Promise<void> {
    const ticket = (this.#last += 1);
    try {
      const names = await readNames(workspace, experiment);
      if (ticket === this.#last) [this.names, this.failure] = [names, null];
    } catch (error) {
      if (ticket === this.#last) this.failure = error;
    }
  }
}
