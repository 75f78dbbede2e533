/** How the page's live streams stand, all together: what the header shows. */

import { SvelteMap } from "svelte/reactivity";
import type { LiveState } from "./live";

const WORST_FIRST: readonly LiveState[] = ["refused", "waiting", "connecting", "asleep", "live"];

class Connection {
  #streams = new SvelteMap<symbol, LiveState>();

  /** The worst state of all; null: this page follows nothing. */
  readonly state: LiveState | null = $derived.by(() => {
    const states = new Set(this.#streams.values());
    return WORST_FIRST.find((state) => states.has(state)) ?? null;
  });

  set(stream: symbol, state: LiveState): void {
    if (state === "closed") this.#streams.delete(stream);
    else this.#streams.set(stream, state);
  }
}

export const connection = new Connection();
