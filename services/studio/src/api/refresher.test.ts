import { describe, expect, it, vi } from "vitest";
import { Refresher } from "./refresher";

/** Loads that end when they are told to. */
function recorder(): { loads: string[][]; finish: () => Promise<void>; load: () => Promise<void> } {
  const loads: string[][] = [];
  let end: () => void = () => undefined;
  return {
    loads,
    load: (...[watermarks]: string[][]) => {
      loads.push(watermarks ?? []);
      return new Promise((resolve) => (end = resolve));
    },
    finish: async () => {
      end();
      await vi.advanceTimersByTimeAsync(1_000);
    },
  };
}

describe("loading again", () => {
  it("happens at once, and once more for all that came meanwhile, as new as the newest", async () => {
    vi.useFakeTimers();
    const { loads, load, finish } = recorder();
    const refresher = new Refresher(load);
    refresher.poke("run.events/0/5");
    refresher.poke("run.events/0/7");
    refresher.poke("run.events/0/6");
    refresher.poke("run.events/1/2");
    expect(loads).toEqual([["run.events/0/5"]]);
    await finish();
    expect(loads.slice(1)).toEqual([["run.events/0/7", "run.events/1/2"]]);
    await finish();
    expect(loads).toHaveLength(2);
    refresher.poke();
    expect(loads.slice(2)).toEqual([[]]);
    await finish();
    vi.useRealTimers();
  });

  it("ends when the page is left", async () => {
    vi.useFakeTimers();
    const { loads, load, finish } = recorder();
    const refresher = new Refresher(load);
    refresher.poke();
    refresher.poke();
    refresher.stop();
    await finish();
    expect(loads).toHaveLength(1);
    vi.useRealTimers();
  });
});
