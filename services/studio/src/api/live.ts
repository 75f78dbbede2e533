/**
 * What the gateway pushes: server-sent events that go on where they were cut.
 *
 * `EventSource` cannot send the token, so the stream is read from a `fetch`. After a cut it is asked
 * for again with the last message's id, first at once, then less and less often; the gateway goes on behind
 * that id, so nothing is missed and nothing comes twice. A tab that nobody sees lets go of its
 * connection after a while (a browser has six for one origin) and catches up when it is looked at.
 */

import { untrack } from "svelte";
import { fetchRaw } from "./client";
import { connection } from "./connection.svelte";
import { EventStreamReader, type ServerMessage } from "./event_stream";
import { ApiFailure } from "./failure";

/** `connecting` is the first time; `waiting`: cut, and trying again; `asleep`: the tab is hidden. */
export type LiveState = "connecting" | "live" | "waiting" | "asleep" | "refused" | "closed";

export type LiveOptions = {
  /** Each message with data, in order. May be slow: the next waits for it. */
  onMessage: (message: ServerMessage) => void | Promise<void>;
  onState?: (state: LiveState, failure: ApiFailure | null) => void;
  /** We were away for too long, something is missed, and we follow again from now on: load anew. */
  onLost?: () => void;
  /** An id to go on behind, as a read gave it. */
  after?: string | null;
};

/** What the gateway answers when the log no longer has what comes behind the last id. */
const GONE = 410;
const LEAST_WAIT_MS = 250;
const MOST_WAIT_MS = 10_000;
/** The gateway says something every 15 seconds; silence for so long is a dead connection. */
const SILENCE_MS = 40_000;
const HIDDEN_MS = 60_000;

/** How long to wait before the n-th attempt (from 0): doubling, spread so that not all come at once. */
export function waitBefore(attempt: number, random: number = Math.random()): number {
  const most = Math.min(MOST_WAIT_MS, LEAST_WAIT_MS * 2 ** attempt);
  return attempt === 0 ? 0 : most * (0.5 + random / 2);
}

/** Follow a stream of the gateway until the returned function is called. */
export function follow(address: string, options: LiveOptions): () => void {
  const stream = new Stream(address, options);
  // An effect that follows shall not begin anew because the stream's state or the token changes.
  untrack(() => void stream.run());
  return () => {
    stream.close();
  };
}

class Stream {
  readonly #address: string;
  readonly #options: LiveOptions;
  readonly #closing = new AbortController();
  readonly #name = Symbol("stream");
  #lastId: string | null;
  #failures = 0;
  #isLost = false;
  #state: LiveState | null = null;

  constructor(address: string, options: LiveOptions) {
    this.#address = address;
    this.#options = options;
    this.#lastId = options.after ?? null;
  }

  close(): void {
    this.#closing.abort();
  }

  async run(): Promise<void> {
    this.#say("connecting");
    while (!this.#isClosed()) {
      const failure = await this.#once();
      if (this.#isClosed()) break;
      if (failure?.status === GONE && this.#lastId !== null) {
        this.#lastId = null;
        this.#isLost = true;
      } else if (failure && !failure.isPassing) {
        this.#say("refused", failure);
        await aborted(this.#closing.signal);
        break;
      }
      if (document.hidden) {
        this.#say("asleep");
        await untilSeen(this.#closing.signal);
      } else {
        this.#say("waiting", failure);
        await pause(waitBefore(this.#failures), this.#closing.signal);
        this.#failures += 1;
      }
    }
    this.#say("closed");
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** One connection, to its end; gives back why the gateway refused it, if it did. */
  async #once(): Promise<ApiFailure | null> {
    const watch = new Watch(this.#closing.signal);
    try {
      const headers = this.#lastId === null ? {} : { "Last-Event-ID": this.#lastId };
      const response = await fetchRaw(this.#address, { headers, signal: watch.signal });
      if (response.body === null) return null;
      const reader = new EventStreamReader();
      for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
        watch.heard();
        this.#say("live");
        this.#failures = 0;
        if (this.#isLost) this.#options.onLost?.();
        this.#isLost = false;
        for (const message of reader.read(piece)) await this.#take(message);
      }
      return null;
    } catch (error) {
      return error instanceof ApiFailure ? error : null;
    } finally {
      watch.stop();
    }
  }

  async #take(message: ServerMessage): Promise<void> {
    try {
      if (message.data !== "") await this.#options.onMessage(message);
    } catch (error) {
      reportError(error); // a bug of the page: to be sent the same again would not help
    }
    if (message.id !== "") this.#lastId = message.id;
  }

  #say(state: LiveState, failure: ApiFailure | null = null): void {
    if (state === this.#state) return;
    this.#state = state;
    connection.set(this.#name, state);
    this.#options.onState?.(state, failure);
  }
}

/** Ends a connection that is silent for too long, or whose tab is hidden for a while. */
class Watch {
  readonly #abort = new AbortController();
  readonly #hidden = (): void => {
    clearTimeout(this.#asleep);
    if (document.hidden)
      this.#asleep = setTimeout(() => {
        this.#abort.abort();
      }, HIDDEN_MS);
  };
  readonly signal: AbortSignal;
  #silent: ReturnType<typeof setTimeout> | undefined;
  #asleep: ReturnType<typeof setTimeout> | undefined;

  constructor(closing: AbortSignal) {
    this.signal = AbortSignal.any([closing, this.#abort.signal]);
    document.addEventListener("visibilitychange", this.#hidden);
    this.#hidden();
    this.heard();
  }

  heard(): void {
    clearTimeout(this.#silent);
    this.#silent = setTimeout(() => {
      this.#abort.abort();
    }, SILENCE_MS);
  }

  stop(): void {
    clearTimeout(this.#silent);
    clearTimeout(this.#asleep);
    document.removeEventListener("visibilitychange", this.#hidden);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", settle);
      resolve();
    };
    const timer = setTimeout(settle, milliseconds);
    signal.addEventListener("abort", settle);
  });
}

function untilSeen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = new AbortController();
    const settle = (): void => {
      if (document.hidden && !signal.aborted) return;
      done.abort();
      resolve();
    };
    document.addEventListener("visibilitychange", settle, { signal: done.signal });
    signal.addEventListener("abort", settle, { signal: done.signal });
    settle();
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener(
      "abort",
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
