/** A run's console: the lines that are here, those that are looked for, and what is pushed. */

import { api, ask, type Schemas } from "../../api/client";
import type { RunFeed } from "../feed.svelte";
import type { FeedMessage } from "../feed_messages";
import { withoutAnsi } from "./ansi";
import { type ConsolePage, LineStore, PAGE } from "./line_store";

export type Matches = Schemas["ConsoleMatches"] & { text: string };

type Query = { from?: number; limit?: number; tail?: number; watermark?: string[] };

const BASE = "/api/v1/workspaces/{workspace}/runs/{run_id}/console";

export class RunConsole {
  readonly store = new LineStore();
  /** changes with every line that comes or goes */
  version = $state(0);
  total = $state(0);
  isLoaded = $state(false);
  failure = $state.raw<unknown>(null);
  matches = $state.raw<Matches | null>(null);

  readonly #feed: RunFeed;
  #text = "";
  #loading: number | null = null;
  #generation = 0;

  constructor(feed: RunFeed) {
    this.#feed = feed;
  }

  /** Take what is pushed, until the returned function is called. */
  start(): () => void {
    const stop = this.#feed.listen((message) => {
      this.#hear(message);
    });
    return () => {
      stop();
      this.#generation += 1;
    };
  }

  /** Load the end of the console, from where what is pushed goes on. */
  async loadEnd(): Promise<void> {
    const generation = (this.#generation += 1);
    try {
      const request = (watermark: string[]): Promise<ConsolePage> =>
        this.#read({ tail: PAGE, watermark });
      await this.#feed.load(request, (answer, since) => {
        if (generation !== this.#generation) return;
        this.store.clear();
        this.store.load(answer, true);
        this.isLoaded = true;
        this.failure = null;
        for (const message of since) this.#append(message);
        this.#changed();
      });
    } catch (error) {
      if (generation === this.#generation) this.failure = error;
    }
  }

  /** Load what is not here of the lines from `from` to before `end`, then ask `again` what is looked at. */
  async need(from: number, end: number, again: () => [number, number]): Promise<void> {
    const page = this.store.missing(from, end);
    if (page === null || this.#loading !== null) return;
    this.#loading = page;
    try {
      const answer = await this.#read({ from: page, limit: PAGE });
      this.store.load(answer, false);
      this.store.forget(page);
      this.#changed();
      this.#loading = null;
      // A page that came without its lines would be asked for for ever.
      if (answer.lines.length > 0) await this.need(...again(), again);
    } catch (error) {
      this.failure = error;
    } finally {
      this.#loading = null;
    }
  }

  /** Look for a text on the server, and in what is pushed from now on. */
  async search(text: string): Promise<void> {
    this.#text = text;
    if (text === "") {
      this.matches = null;
      return;
    }
    try {
      const request = (watermark: string[]): Promise<Schemas["ConsoleMatches"]> =>
        ask(
          api.GET(`${BASE}/matches`, { params: { path: this.#path, query: { text, watermark } } }),
        );
      await this.#feed.load(request, (answer, since) => {
        if (text !== this.#text) return;
        this.matches = { text, ...answer };
        if (since.some(({ event }) => event === "lines")) this.#match(this.total - PAGE);
      });
    } catch (error) {
      if (text === this.#text) this.failure = error;
    }
  }

  get #path(): { workspace: string; run_id: string } {
    return { workspace: this.#feed.workspace, run_id: this.#feed.runId };
  }

  #read(query: Query): Promise<ConsolePage> {
    return ask(api.GET(BASE, { params: { path: this.#path, query } }));
  }

  #hear(message: FeedMessage): void {
    if (message.event === "more_lines") {
      void this.loadEnd();
    } else if (message.event === "lines") {
      const before = this.total;
      this.#append(message);
      this.#changed();
      this.#match(before + 1);
    }
  }

  #append(message: FeedMessage): void {
    if (message.event === "lines" && this.isLoaded) this.store.append(message.data);
  }

  #changed(): void {
    this.total = this.store.total;
    this.version += 1;
  }

  /** Add the lines from this number on that have the text in them. */
  #match(from: number): void {
    const matches = this.matches;
    if (!matches) return;
    const wanted = matches.text.toLowerCase();
    const last = matches.numbers.at(-1) ?? 0;
    const found: number[] = [];
    for (let number = Math.max(from, last + 1); number <= this.total; number += 1) {
      const line = this.store.at(number);
      if (line && withoutAnsi(line.line).toLowerCase().includes(wanted)) found.push(number);
    }
    if (found.length === 0) return;
    this.matches = {
      ...matches,
      total: matches.total + found.length,
      numbers: [...matches.numbers, ...found],
    };
  }
}
