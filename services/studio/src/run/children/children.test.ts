import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

type Query = { watermark: string[] };
type Read = { query: Query; answer: (table: unknown) => void };

const gateway = vi.hoisted(() => ({
  reads: [] as Read[],
  address: "",
  push: null as unknown as (event: object) => void,
}));
vi.mock("../../api/client", () => ({
  api: {
    GET: (_: string, { params }: { params: { query: Query } }) =>
      new Promise((answer) => gateway.reads.push({ query: params.query, answer })),
  },
  ask: (answer: unknown) => answer,
}));
vi.mock("../../api/live", () => ({
  follow: (address: string, options: { onMessage: (message: { data: string }) => void }) => {
    gateway.address = address;
    gateway.push = (event) => {
      options.onMessage({ data: JSON.stringify(event) });
    };
    return () => undefined;
  },
}));
const { ChildList } = await import("./children.svelte");

let offset = 0;
function event(type: string, run_id: string, parent?: string): { watermark: string } {
  offset += 1;
  const content = parent === undefined ? undefined : { parent_run_id: parent };
  return { type, watermark: `run.events/0/${offset}`, data: { run_id, content } } as never;
}

/** Answer the read that waits with these children; gives back the watermarks that it carried. */
async function answer(...runIds: string[]): Promise<string[]> {
  const read = await vi.waitFor(() => {
    const found = gateway.reads.shift();
    if (!found) throw new Error("nobody reads");
    return found;
  });
  read.answer({ total: runIds.length, rows: runIds.map((run_id) => ({ run_id })) });
  await vi.advanceTimersByTimeAsync(1_000);
  return read.query.watermark;
}

describe("a run's children", () => {
  let stop: () => void;
  let list: InstanceType<typeof ChildList>;

  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    gateway.reads.length = 0;
    list = new ChildList("default", "p");
    stop = list.start();
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  it("are read again for what is about them, and for nothing else", async () => {
    await answer("c");
    gateway.push(event("run.started.v1", "x"));
    gateway.push(event("run.created.v1", "x", "another"));
    gateway.push(event("run.created.v1", "x"));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(gateway.reads).toHaveLength(0);

    const started = event("run.started.v1", "c");
    gateway.push(started);
    expect(await answer("c")).toEqual([started.watermark]);
    const created = event("run.created.v1", "d", "p");
    gateway.push(created);
    expect(await answer("c", "d")).toEqual([created.watermark]);
  });

  it("are read again for what came while they were read, too", async () => {
    const started = event("run.started.v1", "c");
    gateway.push(started);
    expect(await answer("c")).toEqual([]);
    expect(await answer("c")).toEqual([started.watermark]);
    expect(gateway.reads).toHaveLength(0);
  });

  it("are followed from a while before they were read", () => {
    const query = new URLSearchParams(gateway.address.split("?")[1]);
    const from = Date.parse(query.get("from") ?? "");
    expect(from).toBeLessThan(Date.now() - 10_000);
  });
});
