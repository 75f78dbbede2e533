import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunRow } from "./cells";
import type { Question } from "./reads";
import { MOST_PAGES, PAGE_ROWS } from "./row_cache";

type Window = {
  offset: number;
  limit: number;
  asOf: string | null;
  watermarks: readonly string[];
  signal?: AbortSignal;
};

/** A gateway with runs that come and change; it keeps the order of an `as_of` as the true one does. */
class Gateway {
  runs: string[] = Array.from({ length: 1_000 }, (_, n) => `run-${n}`);
  loss = new Map<string, number>();
  archived = new Set<string>();
  reads: Window[] = [];
  fails = false;
  isHeld = false;
  readonly #orders = new Map<string, string[]>();
  readonly #held: (() => void)[] = [];

  read = async (question: Question, window: Window): Promise<unknown> => {
    this.reads.push(window);
    if (this.isHeld) {
      await new Promise<void>((resolve, reject) => {
        this.#held.push(resolve);
        window.signal?.addEventListener("abort", () => {
          reject(new DOMException("", "AbortError"));
        });
      });
    }
    if (this.fails) throw new Error("the gateway is away");
    const asOf = window.asOf ?? `order-${this.#orders.size}`;
    const order = this.#orders.get(asOf) ?? [...this.runs];
    this.#orders.set(asOf, order);
    const rows = order.slice(window.offset, window.offset + window.limit).map((run_id) => ({
      run_id,
      status: "Running",
      archived: this.archived.has(run_id),
      display_name: run_id,
      values: question.columns.map((id) =>
        id === "last:loss" ? (this.loss.get(run_id) ?? null) : null,
      ),
    }));
    const newer = this.runs.length - order.length;
    return { total: order.length, newer, as_of: asOf, offset: window.offset, rows };
  };

  letGo(): void {
    this.isHeld = false;
    for (const resolve of this.#held) resolve();
  }
}

const gateway = vi.hoisted(() => ({ current: null as unknown as Gateway }));
vi.mock("./reads", () => ({
  readTable: (question: Question, window: Window) => gateway.current.read(question, window),
}));
const { RunTable } = await import("./run_table.svelte");

const QUESTION: Question = {
  workspace: "default",
  experiment: null,
  text: "",
  status: [],
  tags: [],
  archived: "false",
  children: false,
  sort: "-last:loss",
  columns: ["last:loss"],
};

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(500);
}

async function opened(): Promise<InstanceType<typeof RunTable>> {
  const table = new RunTable(() => undefined);
  table.look({ first: 0, end: 30 });
  table.show(QUESTION);
  await settled();
  return table;
}

const rowsFrom = (first: number, end: number): RunRow["run_id"][] =>
  Array.from({ length: end - first }, (_, n) => `run-${first + n}`);

beforeEach(() => {
  vi.useFakeTimers();
  gateway.current = new Gateway();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the table", () => {
  it("has what is seen, a page ahead when that is near, and asks for no row twice", async () => {
    const table = await opened();
    expect(table.total).toBe(1_000);
    expect(table.rows(0, 30).map(({ run_id }) => run_id)).toEqual(rowsFrom(0, 30));
    expect(gateway.current.reads.map(({ offset }) => offset)).toEqual([0]);
    table.look({ first: 40, end: 70 });
    await settled();
    expect(gateway.current.reads.map(({ offset }) => offset)).toEqual([0, PAGE_ROWS]);
    table.look({ first: 60, end: 90 });
    await settled();
    expect(gateway.current.reads).toHaveLength(2);
  });

  it("follows a far scroll, and lets go of what is passed by", async () => {
    const table = await opened();
    gateway.current.isHeld = true;
    table.look({ first: 400, end: 430 });
    await settled();
    table.look({ first: 800, end: 830 });
    await settled();
    const passed = gateway.current.reads.find(({ offset }) => offset === 400);
    expect(passed?.signal?.aborted).toBe(true);
    gateway.current.letGo();
    await settled();
    expect(table.rows(800, 830).map(({ run_id }) => run_id)).toEqual(rowsFrom(800, 830));
    expect(table.row(400)).toBeUndefined();
    expect(table.failure).toBeNull();
  });

  it("keeps few rows however far one goes", async () => {
    gateway.current.runs = Array.from({ length: 100_000 }, (_, n) => `run-${n}`);
    const table = await opened();
    for (let first = 0; first < 99_000; first += 997) {
      table.look({ first, end: first + 30 });
      await settled();
    }
    const here = Array.from({ length: 100_000 }, (_, n) => table.row(n)).filter(Boolean);
    expect(here.length).toBeLessThanOrEqual(MOST_PAGES * PAGE_ROWS);
  });

  it("changes rows where they stand, and says that they would stand elsewhere now", async () => {
    const table = await opened();
    gateway.current.loss.set("run-7", 0.5);
    gateway.current.runs.reverse();
    await table.take({ runIds: new Set(["run-7"]), hasNew: false, watermarks: [] });
    const row = table.row(7);
    expect(row && table.value(row, "last:loss")).toBe(0.5);
    expect(table.rows(0, 30).map(({ run_id }) => run_id)).toEqual(rowsFrom(0, 30));
    expect(table.isOutOfOrder).toBe(true);
    await table.renew();
    expect(table.row(0)?.run_id).toBe("run-999");
    expect(table.isOutOfOrder).toBe(false);
  });

  it("says that a run belongs to it no longer", async () => {
    const table = await opened();
    gateway.current.archived.add("run-3");
    await table.take({ runIds: new Set(["run-3"]), hasNew: false, watermarks: [] });
    expect(table.row(3)?.run_id).toBe("run-3");
    expect(table.isOutOfOrder).toBe(true);
  });

  it("counts new runs and shows them when asked", async () => {
    const table = await opened();
    gateway.current.runs.unshift("new-1", "new-2");
    await table.take({ runIds: new Set(["new-1", "new-2"]), hasNew: true, watermarks: [] });
    expect(table.newer).toBe(2);
    expect(table.row(0)?.run_id).toBe("run-0");
    await table.renew();
    expect(table.newer).toBe(0);
    expect(table.row(0)?.run_id).toBe("new-1");
  });

  it("shows the first run of all by itself", async () => {
    gateway.current.runs = [];
    const table = await opened();
    expect(table.total).toBe(0);
    gateway.current.runs = ["first"];
    await table.take({ runIds: new Set(["first"]), hasNew: true, watermarks: [] });
    expect(table.row(0)?.run_id).toBe("first");
    expect(table.newer).toBe(0);
  });

  it("keeps its order and place when columns are added, and reads nothing when some go", async () => {
    const table = await opened();
    gateway.current.runs.reverse();
    table.look({ first: 500, end: 530 });
    await settled();
    const before = gateway.current.reads.length;
    table.show({ ...QUESTION, columns: [] });
    await settled();
    expect(gateway.current.reads).toHaveLength(before);
    table.show({ ...QUESTION, columns: ["last:loss", "param:lr"] });
    await settled();
    expect(table.rows(500, 530).map(({ run_id }) => run_id)).toEqual(rowsFrom(500, 530));
    const row = table.row(500);
    expect(row?.values).toHaveLength(2);
    expect(table.order).toBe(1);
  });

  it("says that the order is another one too when it learns so with more columns", async () => {
    const table = await opened();
    gateway.current.loss.set("run-7", 0.5);
    table.show({ ...QUESTION, columns: ["param:lr", "last:loss"] });
    await settled();
    const row = table.row(7);
    expect(row && table.value(row, "last:loss")).toBe(0.5);
    expect(table.isOutOfOrder).toBe(true);
  });

  it("loses no change that is told while more columns are on their way", async () => {
    const table = await opened();
    gateway.current.isHeld = true;
    table.show({ ...QUESTION, columns: ["last:loss", "param:lr"] });
    const batch = { runIds: new Set(["run-7"]), hasNew: false, watermarks: ["run.metrics/0/5"] };
    const taken = table.take(batch);
    gateway.current.letGo();
    await settled();
    await taken;
    expect(gateway.current.reads.at(-1)?.watermarks).toEqual(["run.metrics/0/5"]);
    expect(gateway.current.reads.at(-1)?.signal?.aborted).toBe(false);
  });

  it("loses no change that is told in two batches at once", async () => {
    const table = await opened();
    const batch = { runIds: new Set(["run-7"]), hasNew: false };
    void table.take({ ...batch, watermarks: ["run.metrics/0/5"] });
    void table.take({ ...batch, watermarks: ["run.events/1/2"] });
    await settled();
    const last = gateway.current.reads.at(-1);
    expect(last?.watermarks).toEqual(["run.metrics/0/5", "run.events/1/2"]);
    expect(last?.signal?.aborted).toBe(false);
  });

  it("adds columns that are asked for while the first rows are on their way", async () => {
    const table = new RunTable(() => undefined);
    table.look({ first: 0, end: 30 });
    gateway.current.isHeld = true;
    table.show({ ...QUESTION, columns: [] });
    table.show(QUESTION);
    expect(gateway.current.reads).toHaveLength(1);
    gateway.current.letGo();
    await settled();
    expect(table.row(0)?.values).toHaveLength(1);
    expect(table.order).toBe(1);
  });

  it("shows what it had while another order is made, and only the last that was asked for", async () => {
    const table = await opened();
    gateway.current.isHeld = true;
    table.show({ ...QUESTION, sort: "created" });
    table.show({ ...QUESTION, sort: "-created" });
    expect(table.isBusy).toBe(true);
    expect(table.row(0)?.run_id).toBe("run-0");
    gateway.current.runs.reverse();
    gateway.current.letGo();
    await settled();
    expect(table.row(0)?.run_id).toBe("run-999");
    expect(table.isBusy).toBe(false);
    expect(table.order).toBe(2);
    expect(table.failure).toBeNull();
  });

  it("says that a read failed, and reads it when it is asked for again", async () => {
    gateway.current.fails = true;
    const table = await opened();
    expect(table.failure).toBeInstanceOf(Error);
    expect(table.total).toBeNull();
    gateway.current.fails = false;
    table.retry(QUESTION);
    await settled();
    expect(table.failure).toBeNull();
    expect(table.total).toBe(1_000);
    gateway.current.fails = true;
    table.look({ first: 600, end: 630 });
    await settled();
    expect(table.failure).toBeInstanceOf(Error);
    gateway.current.fails = false;
    table.retry(QUESTION);
    await settled();
    expect(table.row(600)?.run_id).toBe("run-600");
    expect(table.failure).toBeNull();
    expect(table.order).toBe(1);
  });
});
