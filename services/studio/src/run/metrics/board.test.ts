import { beforeEach, describe, expect, it, vi } from "vitest";
import type { FeedMessage } from "../feed_messages";
import type { RunFeed } from "../feed.svelte";
import type { CurveBoard as Board } from "./board.svelte";

const KEY = "loss";
const POINTS = 10;

type Held = { answer: (body: Response) => void; fail: (error: Error) => void };

/** Reads that are answered when the test says so, in the order that it says. */
const reads = vi.hoisted(() => ({ held: [] as Held[] }));
vi.mock("../../api/client", () => ({
  fetchRaw: () =>
    new Promise((answer, fail) => {
      reads.held.push({ answer, fail });
    }),
}));
const { CurveBoard } = await import("./board.svelte");

/** An answer with these values of KEY, one a step, as the gateway encodes it. */
function answerOf(values: number[]): Response {
  const columns = ["step", "time", "value"];
  const special = { count: 0, steps: [], times: [], values: [] };
  const curve = { run_id: "r", key: KEY, attempt: null, kind: "points", count: values.length, at: 0, rows: values.length, columns, special }; // prettier-ignore
  let header = JSON.stringify({ x: "step", width: 1, curves: [curve] });
  header = header.padEnd(header.length + ((8 - ((4 + header.length) % 8)) % 8));
  const body = new ArrayBuffer(4 + header.length + 24 * values.length);
  new DataView(body).setUint32(0, header.length, true);
  new Uint8Array(body).set(new TextEncoder().encode(header), 4);
  const steps = values.map((_, step) => step);
  new Float64Array(body, 4 + header.length).set([...steps, ...steps, ...values]);
  return new Response(body);
}

class Feed {
  readonly runId = "r";
  readonly workspace = "default";
  push: (message: FeedMessage) => void = () => undefined;

  listen(listener: (message: FeedMessage) => void): () => void {
    this.push = listener;
    return () => undefined;
  }

  async load<T>(
    request: (watermark: string[]) => Promise<T>,
    take: (answer: T, since: readonly FeedMessage[]) => void,
  ): Promise<void> {
    take(await request([]), []);
  }

  moved(): void {
    this.push({ event: "moved", data: { run_id: "r", keys: [KEY], watermark: "" } });
  }
}

const settled = () => new Promise((done) => setTimeout(done));

async function opened(): Promise<{ feed: Feed; board: Board }> {
  const feed = new Feed();
  const board = new CurveBoard(feed as unknown as RunFeed, {
    x: "step",
    range: null,
    attempt: "latest",
    points: POINTS,
  });
  board.start();
  board.want(KEY);
  await settled();
  return { feed, board };
}

/** A board with a read under way, and a later one of the same curve. */
async function readTwice() {
  const { feed, board } = await opened();
  feed.moved();
  await settled();
  const [earlier, later] = reads.held;
  return { board, earlier, later };
}

function valuesOf(board: Board): number[] {
  const curve = board.curves.get(KEY);
  return curve?.kind === "points" ? [...curve.values] : [];
}

describe("the curves in sight", () => {
  beforeEach(() => {
    reads.held = [];
  });

  it("are of the later of two reads, in whatever order they are answered", async () => {
    const { board, earlier, later } = await readTwice();
    later?.answer(answerOf([1, 2]));
    await settled();
    expect(valuesOf(board)).toEqual([1, 2]);
    earlier?.answer(answerOf([1]));
    await settled();
    expect(valuesOf(board)).toEqual([1, 2]);
  });

  it("are of the earlier read until the later one is answered", async () => {
    const { board, earlier, later } = await readTwice();
    earlier?.answer(answerOf([1]));
    await settled();
    expect(valuesOf(board)).toEqual([1]);
    later?.answer(answerOf([1, 2]));
    await settled();
    expect(valuesOf(board)).toEqual([1, 2]);
  });

  it("do not feel that a read failed after which they were asked for anew", async () => {
    const { board, earlier, later } = await readTwice();
    later?.answer(answerOf([1, 2]));
    await settled();
    earlier?.fail(new Error("away"));
    await settled();
    expect(board.failure).toBeNull();
    expect(valuesOf(board)).toEqual([1, 2]);
    board.want(KEY);
    await settled();
    expect(reads.held).toHaveLength(2);
  });

  it("are let go of when many others were looked at since", async () => {
    const { board } = await opened();
    const stops = Array.from({ length: 150 }, (_, i) => board.want(`key ${i.toString()}`));
    await settled();
    for (const read of reads.held) read.answer(answerOf([1]));
    await settled();
    expect(board.curves.size).toBe(151);
    for (const stop of stops) stop();
    expect(board.curves.size).toBe(101);
    expect(board.curves.has(KEY)).toBe(true);
    board.want("key 0");
    await settled();
    expect(reads.held).toHaveLength(5);
  });
});
