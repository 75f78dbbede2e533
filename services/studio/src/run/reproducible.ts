/** Whether a run can be run again, as the gateway decides it (`domain/reproduction.py`); pure. */

import { isTerminal } from "../design/status";
import type { RunDetails } from "./feed.svelte";

type Known = Pick<RunDetails, "spec" | "environment" | "status">;

/** Why a run cannot be reproduced (now); null: it can. */
export function whyNotReproducible({ spec, environment, status }: Known): string | null {
  if (!spec) {
    return "runhistory did not start the program that logged it, so it cannot be reproduced. A submitted run can be.";
  }
  if (environment?.packages_sha256) return null;
  return isTerminal(status)
    ? "Its script was never started, so it cannot be reproduced: its packages are not on record."
    : "It can be reproduced once its script has started.";
}
