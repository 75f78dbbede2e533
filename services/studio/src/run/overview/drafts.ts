/** Notes that somebody has begun to write and not saved: they outlive their field, not the window. */

import { SvelteMap } from "svelte/reactivity";

/** By the run's id. */
export const drafts = new SvelteMap<string, string>();
