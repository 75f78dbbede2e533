import { describe, expect, it } from "vitest";
import { printQuery } from "../../router/routes";
import { type MetricsView, printView, readView } from "./metrics_view";

const read = (text: string): MetricsView => readView(new URLSearchParams(text));

describe("how curves are shown", () => {
  it("stands in the URL, there and back", () => {
    const view: MetricsView = {
      along: "elapsed",
      smoothing: 0.9,
      logX: true,
      logY: true,
      range: { from: -5, to: 1_780_000_000_000_000 },
      filter: "שלום & <b>",
      attempt: "2",
    };
    expect(read(printQuery(printView(view)))).toEqual(view);
  });

  it("leaves out what is as usual", () => {
    const usual = read("");
    expect(printQuery(printView(usual))).toBe("");
  });

  it("takes no nonsense", () => {
    const usual = read("");
    expect(read("x=<img>&smooth=7&range=9..1&attempt=all&logx=yes")).toEqual(usual);
    expect(read("smooth=x&range=..")).toEqual(usual);
  });
});
