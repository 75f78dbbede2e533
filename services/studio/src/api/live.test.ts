import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fetchRaw } from "./client";
import { ApiFailure } from "./failure";
import { follow, type LiveState, waitBefore } from "./live";

vi.mock("./client", () => ({ fetchRaw: vi.fn() }));

/** A gateway whose connections the test opens, feeds and cuts. */
class Gateway {
  asked: (string | null)[] = [];
  #answers: (string[] | ApiFailure)[] = [];
  #open: ReadableStreamDefaultController<Uint8Array> | null = null;

  /** What the next requests are answered: a refusal, or a stream that stays open behind its text. */
  answer(...answers: (string[] | ApiFailure)[]): void {
    this.#answers.push(...answers);
  }

  fetch(init: RequestInit): Promise<Response> {
    this.asked.push(new Headers(init.headers).get("Last-Event-ID"));
    const answer = this.#answers.shift();
    if (!answer) return new Promise(() => undefined);
    if (answer instanceof ApiFailure) return Promise.reject(answer);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#open = controller;
        for (const text of answer) controller.enqueue(new TextEncoder().encode(text));
        init.signal?.addEventListener("abort", () => {
          controller.error(new DOMException("", "AbortError"));
        });
      },
    });
    return Promise.resolve(new Response(body));
  }

  say(text: string): void {
    this.#open?.enqueue(new TextEncoder().encode(text));
  }

  cut(): void {
    this.#open?.close();
  }
}

const message = (id: number): string => `id: p${id}\nevent: run.started.v1\ndata: ${id}\n\n`;
const away = new ApiFailure(0, "unreachable", "");

describe("what is pushed", () => {
  let gateway: Gateway;
  let page: EventTarget & { hidden: boolean };
  let seen: string[];
  let states: LiveState[];
  let lost: number;
  let stop: () => void;

  const wait = (milliseconds = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
  const start = async (): Promise<void> => {
    stop = follow("/events", {
      onMessage: ({ data }) => void seen.push(data),
      onState: (state) => void states.push(state),
      onLost: () => (lost += 1),
    });
    await wait();
  };

  beforeEach(() => {
    vi.useFakeTimers();
    [gateway, seen, states, lost] = [new Gateway(), [], [], 0];
    page = Object.assign(new EventTarget(), { hidden: false });
    vi.stubGlobal("document", page);
    vi.mocked(fetchRaw).mockImplementation((_, init) => gateway.fetch(init ?? {}));
  });

  afterEach(async () => {
    stop();
    await wait();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("goes on behind the last id when the connection was cut", async () => {
    gateway.answer([message(1), message(2), ": keep-alive\nid: p7\n\n"], [message(8)]);
    await start();
    gateway.cut();
    await wait();
    expect(gateway.asked).toEqual([null, "p7"]);
    expect(seen).toEqual(["1", "2", "8"]);
    expect(states).toEqual(["connecting", "live", "waiting", "live"]);
  });

  it("asks less and less often while the gateway is away, and from where it was", async () => {
    gateway.answer([message(1)], away, away, away, [message(2)]);
    await start();
    gateway.cut();
    await wait(20_000);
    expect(gateway.asked).toEqual([null, "p1", "p1", "p1", "p1"]);
    expect(seen).toEqual(["1", "2"]);
    for (const attempt of [1, 2, 3]) {
      expect(waitBefore(attempt + 1, 0)).toBeGreaterThan(waitBefore(attempt, 0));
    }
    expect(waitBefore(0)).toBe(0);
    expect(waitBefore(50, 1)).toBe(10_000);
  });

  it("takes half a message for none", async () => {
    gateway.answer([message(1), "id: p2\ndata: ha"], [message(2)]);
    await start();
    gateway.cut();
    await wait();
    expect(gateway.asked).toEqual([null, "p1"]);
    expect(seen).toEqual(["1", "2"]);
  });

  it("takes a connection that says nothing for dead", async () => {
    gateway.answer([message(1)], [message(2)]);
    await start();
    await wait(39_000);
    expect(gateway.asked).toHaveLength(1);
    await wait(2_000);
    expect(seen).toEqual(["1", "2"]);
  });

  it("begins anew and says so when the log has forgotten the id", async () => {
    gateway.answer([message(1)], new ApiFailure(410, "gone", ""), [message(9)]);
    await start();
    gateway.cut();
    await wait(1_000);
    expect(gateway.asked).toEqual([null, "p1", null]);
    expect([seen, lost]).toEqual([["1", "9"], 1]);
  });

  it("ends where it is refused", async () => {
    gateway.answer(new ApiFailure(400, "invalid_request", ""));
    await start();
    await wait(60_000);
    expect(gateway.asked).toHaveLength(1);
    expect(states).toEqual(["connecting", "refused"]);
  });

  it("sleeps while nobody looks, and catches up", async () => {
    gateway.answer([message(1)], [message(2)]);
    await start();
    page.hidden = true;
    page.dispatchEvent(new Event("visibilitychange"));
    for (let second = 0; second < 50; second += 10) {
      gateway.say(": keep-alive\n\n");
      await wait(10_000);
    }
    expect(states.at(-1)).toBe("live");
    await wait(11_000);
    expect(states.at(-1)).toBe("asleep");
    await wait(600_000);
    expect(gateway.asked).toHaveLength(1);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    await wait();
    expect(gateway.asked).toEqual([null, "p1"]);
    expect(seen).toEqual(["1", "2"]);
  });

  it("stops when the page is left", async () => {
    gateway.answer([message(1)]);
    await start();
    stop();
    await wait(60_000);
    expect(gateway.asked).toHaveLength(1);
    expect(states.at(-1)).toBe("closed");
  });
});
