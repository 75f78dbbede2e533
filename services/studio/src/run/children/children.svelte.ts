/** The runs that a run is the parent of: those that there are, and what becomes of them. */

import { api, ask, type Schemas } from "../../api/client";
import { follow } from "../../api/live";
import { Refresher } from "../../api/refresher";
import { printQuery } from "../../router/routes";

type RunEvent = {
  type: string;
  watermark?: string;
  data: { run_id: string; content?: { parent_run_id?: string | null } };
};

export const SHOWN = 500;
/** What happened so long before the stream began is in the tables, or nearly; clocks may differ. */
const BEFORE_MS = 30_000;

export class ChildList {
  found = $state.raw<Schemas["RunTable"] | null>(null);
  failure = $state.raw<unknown>(null);

  readonly #workspace: string;
  readonly #parent: string;
  #refresher = new Refresher((watermarks) => this.#load(watermarks));
  /** of runs that are no children yet: heard while the list was read, they may be by its end */
  #unclear: RunEvent[] = [];
  #isLoading = false;

  constructor(workspace: string, parent: string) {
    this.#workspace = workspace;
    this.#parent = parent;
  }

  /** Load and follow, until the returned function is called. */
  start(): () => void {
    const refresher = (this.#refresher = new Refresher((watermarks) => this.#load(watermarks)));
    refresher.poke();
    const query = { type: "run.*", from: new Date(Date.now() - BEFORE_MS).toISOString() };
    const address = `/api/v1/workspaces/${encodeURIComponent(this.#workspace)}/events`;
    const stop = follow(address + printQuery(query), {
      onMessage: ({ data }) => {
        this.#hear(JSON.parse(data) as RunEvent);
      },
      onLost: () => {
        refresher.poke();
      },
    });
    return () => {
      stop();
      refresher.stop();
    };
  }

  retry(): void {
    this.#refresher.poke();
  }

  #hear(event: RunEvent): void {
    if (this.#concerns(event)) this.#refresher.poke(event.watermark ?? null);
    else if (this.#isLoading) this.#unclear.push(event);
  }

  /** Whether an event is about one of the children, or a new one's birth. */
  #concerns({ type, data }: RunEvent): boolean {
    const isNew = type.startsWith("run.created") && data.content?.parent_run_id === this.#parent;
    return isNew || (this.found?.rows ?? []).some(({ run_id }) => run_id === data.run_id);
  }

  async #load(watermark: string[]): Promise<void> {
    this.#isLoading = true;
    const params = {
      path: { workspace: this.#workspace },
      query: { parent: this.#parent, archived: "all", sort: "created", limit: SHOWN, watermark },
    } as const;
    try {
      this.found = await ask(api.GET("/api/v1/workspaces/{workspace}/runs/table", { params }));
      this.failure = null;
    } catch (error) {
      this.failure = error;
    }
    this.#isLoading = false;
    for (const event of this.#unclear.splice(0)) this.#hear(event);
  }
}
