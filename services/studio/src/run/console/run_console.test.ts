import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Line } from "./line_store";

/** A gateway that answers when the test says so, and what it pushes. */
class Gateway {
  push: (event: string, data: unknown) => void = () => undefined;
  readonly #held: Read[] = [];

  read = (_path: string, { params }: { params: { query?: Query } }): Promise<unknown> =>
    new Promise((answer, refuse) => {
      this.#held.push({ query: params.query ?? {}, answer, refuse });
    });

  /** How many reads that ask for lines wait for an answer. */
  get waiting(): number {
    return this.#held.filter(({ query }) => query.tail).length;
  }

  /** Answer the oldest read that asks for lines with these lines; gives back what it asked for. */
  async answer(...lines: string[]): Promise<Query> {
    const read = await this.#oldest();
    const total = lines.length;
    read.answer({ total, admitted: total, cursor: null, lines: lines.map(numbered) });
    await settled();
    return read.query;
  }

  /** Fail the oldest read that asks for lines. */
  async refuse(): Promise<void> {
    (await this.#oldest()).refuse(new Error("the gateway is away"));
    await settled();
  }

  async #oldest(): Promise<Read> {
    await vi.waitFor(() => {
      if (this.waiting === 0) throw new Error("nobody asks for lines");
    });
    const found = this.#held.findIndex(({ query }) => query.tail);
    const [read] = this.#held.splice(found, 1);
    if (!read) throw new Error("nobody asks for lines");
    return read;
  }

  write(offset: number, ...lines: string[]): void {
    const streams = lines.map(() => "stdout");
    const times = lines.map(() => 0);
    const watermark = `run.logs/0/${offset.toString()}`;
    this.push("lines", { run_id: "r", attempt: 1, streams, times, lines, offset, watermark });
  }
}

type Query = { tail?: number; stream?: string[]; watermark?: string[] };
type Read = { query: Query; answer: (page: unknown) => void; refuse: (error: Error) => void };

function settled(): Promise<void> {
  return new Promise((done) => setTimeout(done));
}

function numbered(line: string, i: number): Line {
  return { number: i + 1, place: i + 1, attempt: 1, stream: "stdout", time: "", line };
}

const gateway = vi.hoisted(() => ({ current: null as unknown as Gateway }));
vi.mock("../../api/client", () => ({
  api: { GET: (path: string, options: never) => gateway.current.read(path, options) },
  ask: (answer: unknown) => answer,
}));
vi.mock("../../api/live", () => ({
  follow: (_: string, options: { onMessage: (message: unknown) => void }) => {
    gateway.current.push = (event, data) => {
      options.onMessage({ id: "", event, data: JSON.stringify(data) });
    };
    return () => undefined;
  },
}));
const { RunFeed } = await import("../feed.svelte");
const { RunConsole } = await import("./console.svelte");

function followed(): InstanceType<typeof RunFeed> {
  const feed = new RunFeed("default", "r");
  feed.start();
  gateway.current.push("begin", { watermarks: ["run.logs/0/3"] });
  return feed;
}

function opened(feed: InstanceType<typeof RunFeed>): InstanceType<typeof RunConsole> {
  const console = new RunConsole(feed);
  console.start();
  return console;
}

function linesOf({ store, total }: InstanceType<typeof RunConsole>): (string | undefined)[] {
  return Array.from({ length: total }, (_, i) => store.at(i + 1)?.line);
}

describe("a run's console", () => {
  beforeEach(() => {
    gateway.current = new Gateway();
  });

  it("has what was pushed before it was opened and while its first lines were read", async () => {
    const feed = followed();
    gateway.current.write(4, "pushed before");
    const console = opened(feed);
    const loading = console.loadEnd();
    gateway.current.write(5, "pushed meanwhile");
    await gateway.current.answer("loaded");
    await loading;
    gateway.current.write(6, "pushed afterwards");
    expect(linesOf(console)).toEqual([
      "loaded",
      "pushed before",
      "pushed meanwhile",
      "pushed afterwards",
    ]);
  });

  it("asks for what was too much to be pushed, whether it was open by then or not", async () => {
    const feed = followed();
    gateway.current.push("more_lines", { run_id: "r", lines: 9, watermark: "run.logs/0/12" });
    const console = opened(feed);
    const loading = console.loadEnd();
    expect((await gateway.current.answer("many")).watermark).toEqual(["run.logs/0/12"]);
    await loading;

    gateway.current.push("more_lines", { run_id: "r", lines: 9, watermark: "run.logs/0/15" });
    expect((await gateway.current.answer("many", "more")).watermark).toEqual(["run.logs/0/15"]);
    expect(linesOf(console)).toEqual(["many", "more"]);
  });

  const flood = (offset: number): void => {
    const watermark = `run.logs/0/${offset.toString()}`;
    gateway.current.push("more_lines", { run_id: "r", lines: 9, watermark });
  };

  it("numbers nothing that comes behind a hole until the hole is read", async () => {
    const console = opened(followed());
    const loading = console.loadEnd();
    await gateway.current.answer("one");
    await loading;

    flood(12);
    gateway.current.write(13, "behind the hole");
    expect(linesOf(console)).toEqual(["one"]);
    await gateway.current.answer("one", "two", "three");
    expect(linesOf(console)).toEqual(["one", "two", "three", "behind the hole"]);
  });

  it("reads a hole again when the read of it failed", async () => {
    const console = opened(followed());
    const loading = console.loadEnd();
    await gateway.current.answer("one");
    await loading;

    flood(12);
    await gateway.current.refuse();
    expect(console.failure).toBeInstanceOf(Error);
    gateway.current.write(13, "behind the hole");
    await gateway.current.answer("one", "two");
    expect(console.failure).toBeNull();
    expect(linesOf(console)).toEqual(["one", "two", "behind the hole"]);
  });

  it("shows something in a flood that never ends, and reads once at a time", async () => {
    const console = opened(followed());
    void console.loadEnd();
    for (let offset = 12; offset < 20; offset += 1) flood(offset);
    expect(gateway.current.waiting).toBe(1);
    await gateway.current.answer("many");
    expect(linesOf(console)).toEqual(["many"]);
    expect((await gateway.current.answer("many", "more")).watermark).toEqual(["run.logs/0/19"]);
    expect(linesOf(console)).toEqual(["many", "more"]);
    expect(gateway.current.waiting).toBe(0);
  });

  it("shows the stream that was chosen last, whatever is answered before", async () => {
    const console = opened(followed());
    void console.loadEnd();
    void console.loadEnd({ stream: "stderr", attempt: null });
    await gateway.current.answer("of stdout");
    expect(console.isLoaded).toBe(false);
    expect((await gateway.current.answer("of stderr")).stream).toEqual(["stderr"]);
    gateway.current.write(6, "of stdout, pushed");
    expect(linesOf(console)).toEqual(["of stderr"]);
  });

  it("lets go of lines that are far from what is looked at, while more are pushed", async () => {
    const console = opened(followed());
    const loading = console.loadEnd();
    await gateway.current.answer("first");
    await loading;
    await console.need(1, 2, () => [1, 2]);
    const many = Array.from({ length: 1_000 }, (_, i) => i.toString());
    for (let offset = 4; offset < 104; offset += 1) gateway.current.write(offset, ...many);
    expect(console.total).toBe(100_001);
    expect(console.store.size).toBeLessThanOrEqual(20_000);
    expect(console.store.at(1)?.line).toBe("first");
    expect(console.store.at(100_001)?.line).toBe("999");
  });

  it("tells the first of very many matches, and counts on", async () => {
    const feed = followed();
    const console = opened(feed);
    const loading = console.loadEnd();
    await gateway.current.answer("first");
    await loading;
    console.matches = { text: "x", total: 0, numbers: [] };
    const many = Array.from({ length: 1_000 }, () => "x");
    for (let offset = 4; offset < 19; offset += 1) gateway.current.write(offset, ...many);
    expect(console.matches.total).toBe(15_000);
    expect(console.matches.numbers).toHaveLength(10_000);
  });
});
