/** The selection of the Runs page: on the page, and in its address while it fits there. */

import { setQuery } from "../router/location.svelte";
import { MOST_SELECTED_IN_ADDRESS, printView } from "./address";
import { readRuns } from "./reads";
import { added, NOTHING, refreshed, removed, type Selectable, type Selection } from "./selection";

/** A browser refuses to change its address much oftener. */
const WRITE_MS = 250;

export class Picked {
  runs = $state.raw<Selection>(NOTHING);
  #written = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  set(selection: Selection): void {
    if (selection === this.runs) return;
    this.runs = selection;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#write();
    }, WRITE_MS);
  }

  /** Take over what rows say of runs that are selected. */
  refresh(rows: readonly Selectable[]): void {
    this.runs = refreshed(this.runs, rows);
  }

  /** Take over what the address says: the page was opened with it, or the back button pressed. */
  async read(workspace: string, runIds: readonly string[]): Promise<void> {
    const wanted = runIds.slice(0, MOST_SELECTED_IN_ADDRESS);
    if (wanted.join() === this.#written) return;
    this.#written = wanted.join();
    const left = [...this.runs.keys()].filter((id) => !wanted.includes(id));
    this.runs = removed(this.runs, left);
    const missing = wanted.filter((id) => !this.runs.has(id));
    if (missing.length === 0) return;
    const rows = await readRuns(workspace, missing);
    const byId = new Map(rows.map((row) => [row.run_id, row]));
    const found = missing.map((id) => byId.get(id)).filter((row) => row !== undefined);
    this.runs = added(this.runs, found);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #write(): void {
    const { run } = printView({ selected: [...this.runs.keys()] });
    this.#written = Array.isArray(run) ? run.join() : "";
    setQuery({ run });
  }
}
