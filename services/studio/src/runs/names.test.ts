import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defaultColumns, NO_NAMES, type UsedNames } from "./columns";

type Asked = { experiment: string | null } | { runIds: readonly string[] };

/** What the runs use, as the gateway would say it: all of them by null. */
const uses = new Map<string | null, Partial<UsedNames>>();
const asked: { asked: Asked; watermarks: readonly string[] }[] = [];

vi.mock("./reads", () => ({
  readNames: (_: string, which: Asked, watermarks: readonly string[] = []) => {
    asked.push({ asked: which, watermarks });
    const runIds = "runIds" in which ? which.runIds : [null];
    const found = runIds.map((runId) => uses.get(runId) ?? {});
    return Promise.resolve(Object.assign({}, NO_NAMES, ...found) as UsedNames);
  },
}));

const { UsedNamesOf } = await import("./names.svelte");

const names = (...list: string[]): { name: string; runs: number }[] =>
  list.map((name) => ({ name, runs: 1 }));

async function loaded(): Promise<InstanceType<typeof UsedNamesOf>> {
  const used = new UsedNamesOf();
  await used.load("default", "digits");
  return used;
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(5_000);
}

beforeEach(() => {
  vi.useFakeTimers();
  uses.clear();
  asked.length = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

describe("names that come while somebody looks", () => {
  it("are offered, and move no column that is there", async () => {
    uses.set(null, { metrics: names("loss"), params: names("lr") });
    const used = await loaded();
    const before = defaultColumns(used.usual ?? NO_NAMES, { ofOneExperiment: true });
    uses.set("run", { metrics: names("loss", "accuracy"), tags: names("best") });
    used.meetMetrics("run", ["loss", "accuracy"], "run.metrics/0/7");
    await settled();
    expect(used.names?.metrics.map(({ name }) => name)).toEqual(["loss", "accuracy"]);
    expect(used.names?.tags.map(({ name }) => name)).toEqual(["best"]);
    expect(asked.at(-1)).toEqual({
      asked: { runIds: ["run"] },
      watermarks: ["run.metrics/0/7"],
    });
    expect(defaultColumns(used.usual ?? NO_NAMES, { ofOneExperiment: true })).toEqual(before);
  });

  it("are asked for once, however often they are logged", async () => {
    uses.set(null, { metrics: names("loss") });
    const used = await loaded();
    uses.set("run", { metrics: names("loss", "accuracy") });
    for (let n = 0; n < 50; n += 1) used.meetMetrics("run", ["accuracy"], `run.metrics/0/${n}`);
    await settled();
    const reads = asked.length;
    expect(reads).toBeLessThanOrEqual(3);
    used.meetMetrics("run", ["accuracy", "loss"], "run.metrics/0/51");
    await settled();
    expect(asked).toHaveLength(reads);
  });

  it("become columns where there was no metric at all", async () => {
    const used = await loaded();
    uses.set("run", { metrics: names("loss") });
    used.meetMetrics("run", ["loss"], "run.metrics/0/1");
    await settled();
    expect(defaultColumns(used.usual ?? NO_NAMES, { ofOneExperiment: true })).toContain(
      "last:loss",
    );
  });

  it("are asked of many runs by and by", async () => {
    const used = await loaded();
    used.meet(
      Array.from({ length: 250 }, (_, n) => `run-${n}`),
      [],
    );
    await settled();
    const sizes = asked.flatMap(({ asked: one }) => ("runIds" in one ? [one.runIds.length] : []));
    expect(sizes).toEqual([100, 100, 50]);
  });
});

describe("names that are needed", () => {
  it("are read once, and again only for another experiment", async () => {
    const used = new UsedNamesOf();
    await Promise.all([used.need("default", "digits"), used.need("default", "digits")]);
    await used.need("default", "digits");
    expect(asked).toHaveLength(1);
    await used.need("default", "other");
    expect(asked).toHaveLength(2);
  });

  it("are read again after a read that failed", async () => {
    const used = await loaded();
    used.failure = new Error("away");
    await used.need("default", "digits");
    expect(asked).toHaveLength(2);
    expect(used.failure).toBeNull();
  });
});
