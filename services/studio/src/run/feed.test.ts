import { beforeEach, describe, expect, it, vi } from "vitest";

type Read = { path: string; watermark: string[]; answer: (body: unknown) => void };
type State = (state: string) => void;

const gateway = vi.hoisted(() => ({
  reads: [] as Read[],
  push: null as unknown as (event: string, data: unknown) => void,
  say: null as unknown as State,
}));
vi.mock("../api/client", () => ({
  api: {
    GET: (path: string, { params }: { params: { query: { watermark: string[] } } }) =>
      new Promise((answer) => {
        gateway.reads.push({ path, watermark: params.query.watermark, answer });
      }),
  },
  ask: (answer: unknown) => answer,
}));
vi.mock("../api/live", () => ({
  follow: (
    _: string,
    { onMessage, onState }: { onMessage: (message: unknown) => void; onState: State },
  ) => {
    gateway.push = (event, data) => {
      onMessage({ id: "", event, data: JSON.stringify(data) });
    };
    gateway.say = onState;
    return () => undefined;
  },
}));
const { RunFeed } = await import("./feed.svelte");

/** The reads that wait for an answer, of the details or of the summaries. */
function waiting(of: "details" | "series"): Read[] {
  return gateway.reads.filter(({ path }) => path.endsWith("series") === (of === "series"));
}

async function answer(of: "details" | "series", body: unknown): Promise<string[]> {
  const [read] = waiting(of);
  if (!read) throw new Error(`nobody reads the ${of}`);
  gateway.reads.splice(gateway.reads.indexOf(read), 1);
  read.answer(body);
  await new Promise((settled) => setTimeout(settled));
  return read.watermark;
}

const series = (last: number): unknown => ({ series: [{ key: "loss", last, last_step: last }] });
const moved = (offset: number): void => {
  gateway.push("moved", { run_id: "r", keys: ["loss"], watermark: `run.metrics/0/${offset}` });
};

describe("a run's feed", () => {
  let feed: InstanceType<typeof RunFeed>;

  beforeEach(async () => {
    gateway.reads.length = 0;
    feed = new RunFeed("default", "r");
    feed.start();
    gateway.say("live");
    gateway.push("begin", { watermarks: ["run.events/0/1"] });
    await answer("details", { display_name: "first" });
    await answer("series", series(1));
  });

  it("never takes an older answer for a newer one, and reads once at a time", async () => {
    for (let offset = 10; offset < 20; offset += 1) moved(offset);
    expect(waiting("series")).toHaveLength(1);
    await answer("series", series(2));
    expect(feed.series?.get("loss")?.last).toBe(2);
    expect(await answer("series", series(3))).toContain("run.metrics/0/19");
    expect(feed.series?.get("loss")?.last).toBe(3);
    expect(waiting("series")).toHaveLength(0);
  });

  it("is loaded when whoever asked for it goes on", async () => {
    gateway.push("event", { type: "run.described.v1", watermark: "run.events/0/2", data: {} });
    let isLoaded = false;
    const loading = feed.reload("run.events/0/3").then(() => (isLoaded = true));
    await answer("details", { display_name: "older" });
    expect(isLoaded).toBe(false);
    expect(await answer("details", { display_name: "new" })).toEqual(["run.events/0/3"]);
    await loading;
    expect(feed.details?.display_name).toBe("new");
  });

  it("has everything loaded anew after a cut, in which reads may have failed", async () => {
    const before = feed.epoch;
    gateway.say("waiting");
    gateway.say("live");
    expect(feed.epoch).toBe(before + 1);
    await answer("details", { display_name: "again" });
    await answer("series", series(4));
    gateway.say("asleep");
    gateway.say("live");
    expect(feed.epoch).toBe(before + 1);
    expect(feed.details?.display_name).toBe("again");
  });
});
