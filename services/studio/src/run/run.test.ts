import { describe, expect, it } from "vitest";
import { type FeedMessage, pointsByKey, readMessage, watermarksOf } from "./feed_messages";
import { periods, runDuration, shares } from "./overview/timeline";
import { pythonString, sdkLines } from "./sdk_lines";
import { grouped, matching, summaryWith } from "./series";
import { neighbour, tabOf, TABS } from "./tabs";
import { mergeWatermarks } from "../api/watermarks";

describe("tabs", () => {
  it("stand in the query, the first by default", () => {
    expect(tabOf(new URLSearchParams("tab=console"))).toBe("console");
    expect(tabOf(new URLSearchParams("tab=<img>"))).toBe("overview");
    expect(tabOf(new URLSearchParams(""))).toBe("overview");
  });

  it("go round in both directions", () => {
    expect(neighbour("overview", -1)).toBe("children");
    expect(neighbour("children", 1)).toBe("overview");
    let tab = tabOf(new URLSearchParams());
    for (const { name } of TABS) {
      expect(tab).toBe(name);
      tab = neighbour(tab, 1);
    }
    expect(tab).toBe("overview");
  });
});

describe("watermarks", () => {
  it("keep the furthest place of each partition, by number and not by letters", () => {
    expect(
      mergeWatermarks(["run.events/0/9", "run.logs/1/7"], ["run.events/0/10", "run.logs/2/1"]),
    ).toEqual(["run.events/0/10", "run.logs/1/7", "run.logs/2/1"]);
  });

  it("come with what is pushed", () => {
    const read = (event: string, data: unknown): FeedMessage | null =>
      readMessage({ id: "1", event, data: JSON.stringify(data) });
    const begin = read("begin", { watermarks: ["a/0/1"] });
    const moved = read("moved", { run_id: "r", keys: [], watermark: "a/0/2" });
    expect(begin && watermarksOf(begin)).toEqual(["a/0/1"]);
    expect(moved && watermarksOf(moved)).toEqual(["a/0/2"]);
    expect(read("something_newer", {})).toBeNull();
  });
});

describe("points that are pushed", () => {
  const points = {
    run_id: "r",
    attempt: 1,
    keys: ["loss", "acc"],
    key_index: [1, 2, 1],
    steps: [0, 0, 1],
    times: [10, 10, 20],
    values: [0.5, "NaN", 0.25],
    watermark: "run.metrics/0/1",
  };

  it("belong to their keys", () => {
    const found = pointsByKey(points);
    expect(found.get("loss")).toEqual({ steps: [0, 1], times: [10, 20], values: [0.5, 0.25] });
    expect(found.get("acc")).toEqual({ steps: [0], times: [10], values: ["NaN"] });
  });

  it("change the summary of their series, and a second time change nothing", () => {
    const arrived = { steps: [0, 1, 2], values: [3, "NaN", 1] };
    const once = summaryWith(undefined, "loss", arrived);
    expect(once).toMatchObject({ count: 3, first_step: 0, last_step: 2, last: 1, min: 1, max: 3 });
    expect(summaryWith(once, "loss", arrived)).toEqual(once);
  });
});

describe("keys", () => {
  it("are grouped by what stands before the first slash, numbers in their order", () => {
    const keys = [
      "val/loss",
      "loss",
      "train/l10",
      "train/l2",
      "train/l1",
      "train/sub/x",
      "val/acc",
    ];
    expect(grouped(keys)).toEqual([
      { prefix: "", keys: ["loss"] },
      { prefix: "train", keys: ["train/l1", "train/l2", "train/l10", "train/sub/x"] },
      { prefix: "val", keys: ["val/acc", "val/loss"] },
    ]);
  });

  it("stand side by side where they are few", () => {
    expect(grouped(["val/loss", "loss", "train/l10", "train/l2"])).toEqual([
      { prefix: "", keys: ["loss", "train/l2", "train/l10", "val/loss"] },
    ]);
    expect(grouped([])).toEqual([]);
  });

  it("are found by words in any order and case", () => {
    expect(matching(["train/Loss", "val/loss", "acc"], "LOSS tr")).toEqual(["train/Loss"]);
    expect(matching(["a", "b"], " ")).toEqual(["a", "b"]);
  });
});

describe("a run's timeline", () => {
  const at = (second: number): string => new Date(second * 1_000).toISOString();
  const now = new Date(100_000);

  it("says how long each status was, the last one until now", () => {
    const found = periods(
      [
        { status: "Queued", time: at(10) },
        { status: "Running", time: at(15) },
      ],
      now,
    );
    expect(found.map(({ milliseconds }) => milliseconds)).toEqual([5_000, 85_000]);
    expect(found.map(({ lasts }) => lasts)).toEqual([false, true]);
  });

  it("ends with a status that nothing follows", () => {
    const [, last] = periods(
      [
        { status: "Running", time: at(10) },
        { status: "Completed", time: at(15) },
      ],
      now,
    );
    expect(last).toMatchObject({ milliseconds: 0, lasts: false });
  });

  it("keeps short periods in sight and adds up to the whole", () => {
    const found = periods(
      [
        { status: "Queued", time: at(0) },
        { status: "Running", time: at(0.001) },
      ],
      now,
    );
    const parts = shares(found);
    expect(parts[0]).toBeGreaterThan(0.01);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1);
    expect(shares([])).toEqual([]);
  });

  it("measures the run from its start", () => {
    expect(runDuration({ started: null, ended: null }, now)).toBeNull();
    expect(runDuration({ started: at(90), ended: null }, now)).toBe(10_000);
    expect(runDuration({ started: at(90), ended: at(91) }, now)).toBe(1_000);
  });
});

describe("lines of Python", () => {
  it("carry any name as a string of Python", () => {
    expect(pythonString('a"b\\c\n')).toBe('"a\\"b\\\\c\\n"');
    expect(pythonString("é\u2028🙂")).toBe('"\\u00e9\\u2028\\U0001f642"');
    const place = { url: "http://h:1", workspace: "w", runId: "01", key: "val/loss" };
    const lines = sdkLines({ ...place, needsToken: false });
    expect(lines).toContain('run.get_metrics()["val/loss"]');
    expect(lines).not.toContain("RUNHISTORY_TOKEN");
    expect(sdkLines({ ...place, needsToken: true })).toContain("RUNHISTORY_TOKEN");
  });
});
