/** Whether a run can be run again, as the gateway decides it (`domain/reproduction.py`); pure. */

import { isTerminal } from "../design/status";
import type { RunDetails } from "./feed.svelte";

type Known = Pick<RunDetails, "spec" | "environment" | "status">;

/** Why a run cannot be reproduced (now); null: it can. */
export function whyNotReproducible({ spec, environment, status }: Known): string | null {
  if (!spec) {
    return "It cannot be reproduced: a program of its own logged it. Runs that are submitted can be.";
  }
  if (environment?.packages_sha256) return null;
  return isTerminal(status)
    ? "It cannot be reproduced: its script was never called, so its packages are not on record."
    : "It can be reproduced once its script is called: its packages are on record then.";
}
