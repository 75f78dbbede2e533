/** A run's console: the lines that are here, those that are looked for, and what is pushed. */

import { api, ask, type Schemas } from "../../api/client";
import type { RunFeed } from "../feed.svelte";
import type { FeedMessage } from "../feed_messages";
import { InTurn } from "../in_turn";
import { type Style, withoutAnsi } from "./ansi";
import { CarriedStyles } from "./carried";
import { type ConsolePage, EVERY_LINE, type LineFilter, LineStore, PAGE } from "./line_store";

export type Matches = Schemas["ConsoleMatches"] & { text: string };

type Query = { from?: number; from_place?: number; limit?: number; tail?: number };
type Path = { workspace: string; run_id: string };

/** So many matches are told, as many as the server tells; how many there are is counted on. */
const MOST_MATCHES = 10_000;
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
  readonly #carried = new CarriedStyles(this.store);
  /** what the reader wants; the store's may still be the one before */
  #filter = EVERY_LINE;
  readonly #end = new InTurn(() => this.#readEnd(this.#filter));
  /** lines are missing behind those that are here: what is pushed cannot be numbered */
  #isBehind = false;
  #search = { text: "" };
  #loading: number | null = null;
  /** the first line that is looked at */
  #seen = 0;

  constructor(feed: RunFeed) {
    this.#feed = feed;
  }

  /** Take what is pushed, until the returned function is called. */
  start(): () => void {
    return this.#feed.listen((message) => {
      this.#hear(message);
    });
  }

  /** The style in which the line at this place begins. */
  styleBefore(place: number): Style {
    return this.#carried.before(place);
  }

  /** Load the end of what the filter admits, from where what is pushed goes on. */
  async loadEnd(filter: LineFilter = this.#filter): Promise<void> {
    this.#filter = filter;
    await this.#end.want();
  }

  /** Load what is not here of the lines from `from` to before `end`, then ask `again` what is looked at. */
  async need(from: number, end: number, again: () => [number, number]): Promise<void> {
    this.#seen = from;
    const page = this.store.missing(from, end);
    if (page === null || this.#loading !== null) return;
    this.#loading = page;
    const { filter } = this.store;
    try {
      const answer = await this.#read(filter, { from_place: page, limit: PAGE });
      const isWanted = filter === this.store.filter;
      if (isWanted) this.store.load(answer, false);
      this.#loading = null;
      // A page that came without its lines would be asked for for ever.
      if (isWanted && answer.lines.length === 0) return;
      this.store.forget(page);
      this.#carried.forget();
      this.#changed();
      await this.need(...again(), again);
    } catch (error) {
      this.failure = error;
    } finally {
      this.#loading = null;
    }
  }

  /** The place of the line with this number, or of the first behind it, among those that are shown. */
  async placeOf(number: number): Promise<number> {
    const { filter } = this.store;
    if (filter.stream === null && filter.attempt === null) return number;
    const { lines, admitted } = await this.#read(filter, { from: number, limit: 1 });
    return lines[0]?.place ?? admitted;
  }

  /** Look for a text on the server, and in what is pushed from now on. */
  async search(text: string, filter: LineFilter): Promise<void> {
    const search = (this.#search = { text });
    if (text === "") {
      this.matches = null;
      return;
    }
    try {
      const request = (watermark: string[]): Promise<Schemas["ConsoleMatches"]> => {
        const query = { text, watermark, ...admitting(filter) };
        return ask(api.GET(`${BASE}/matches`, { params: { path: this.#path, query } }));
      };
      await this.#feed.load(request, (answer, since) => {
        if (search !== this.#search) return;
        this.matches = { text, ...answer };
        if (since.some(({ event }) => event === "lines")) this.#match(this.total - PAGE);
      });
    } catch (error) {
      if (search === this.#search) this.failure = error;
    }
  }

  get #path(): Path {
    return { workspace: this.#feed.workspace, run_id: this.#feed.runId };
  }

  #read(filter: LineFilter, asked: Query, watermark: string[] = []): Promise<ConsolePage> {
    const query = { ...asked, watermark, ...admitting(filter) };
    return ask(api.GET(BASE, { params: { path: this.#path, query } }));
  }

  async #readEnd(filter: LineFilter): Promise<void> {
    try {
      const request = (watermark: string[]): Promise<ConsolePage> =>
        this.#read(filter, { tail: PAGE }, watermark);
      await this.#feed.load(request, (answer, since) => {
        if (filter !== this.#filter) return;
        this.store.clear(filter);
        this.store.load(answer, true);
        this.#carried.forget();
        this.isLoaded = true;
        this.failure = null;
        // Stale: meanwhile there was too much to be pushed. What comes behind that has to wait.
        this.#isBehind = this.#end.isStale;
        if (!this.#isBehind) for (const message of since) this.#append(message);
        this.#changed();
      });
    } catch (error) {
      this.failure = error;
    }
  }

  #hear(message: FeedMessage): void {
    if (message.event === "more_lines") {
      this.#isBehind = true;
      void this.loadEnd();
    } else if (message.event === "lines" && this.#isBehind) {
      // The read that is under way takes it too; if one failed, this is the time for another.
      if (!this.#end.isRunning) void this.loadEnd();
    } else if (message.event === "lines") {
      const before = this.total;
      this.#append(message);
      this.#changed();
      this.#match(before + 1);
      if (this.store.forget(this.#seen)) this.#carried.forget();
    }
  }

  #append(message: FeedMessage): void {
    if (message.event === "lines" && this.isLoaded) this.store.append(message.data);
  }

  #changed(): void {
    this.total = this.store.total;
    this.version += 1;
  }

  /** Add the lines from this place on that have the text in them. */
  #match(from: number): void {
    const matches = this.matches;
    if (!matches) return;
    const wanted = matches.text.toLowerCase();
    const last = matches.numbers.at(-1) ?? 0;
    const found: number[] = [];
    for (let place = Math.max(from, 1); place <= this.total; place += 1) {
      const line = this.store.at(place);
      if (!line || line.number <= last) continue;
      if (withoutAnsi(line.line).toLowerCase().includes(wanted)) found.push(line.number);
    }
    if (found.length === 0) return;
    this.matches = {
      ...matches,
      total: matches.total + found.length,
      numbers: [...matches.numbers, ...found].slice(0, MOST_MATCHES),
    };
  }
}

function admitting({ stream, attempt }: LineFilter) {
  return { ...(stream ? { stream: [stream] } : {}), ...(attempt ? { attempt } : {}) };
}
