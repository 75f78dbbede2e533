import { describe, expect, it } from "vitest";
import { firstLines, submitCommand } from "./first_run";
import {
  type Experiment,
  inOrder,
  keepingPlaces,
  type MainMetric,
  matching,
  parseView,
  withPoints,
} from "./overview";

const metric: MainMetric = {
  key: "loss",
  is_chosen: false,
  run_id: "r",
  display_name: "calm-owl",
  status: "Running",
  last: 2,
  min: 1,
  max: 4,
  sparkline: { steps: [0, 10], values: [4, 2] },
};

function experiment(name: string, more: Partial<Experiment> = {}): Experiment {
  return {
    experiment_id: name,
    name,
    description: "",
    tags: {},
    archived: false,
    created: "2026-05-01T00:00:00Z",
    last_activity: "2026-05-01T00:00:00Z",
    runs: {},
    main_metric: null,
    ...more,
  };
}

const names = (experiments: Experiment[]): string[] => experiments.map(({ name }) => name);

describe("the page's state", () => {
  it("is what the address says, and the usual where it says nonsense", () => {
    const parse = (query: string) => parseView(new URLSearchParams(query));
    expect(parse("q=bert&sort=runs&archived=all")).toEqual({
      text: "bert",
      order: "runs",
      archived: true,
    });
    expect(parse("sort=constructor")).toEqual({ text: "", order: "activity", archived: false });
  });
});

describe("what is listed", () => {
  const all = [
    experiment("bert-10", { last_activity: "2026-05-03T00:00:00Z", runs: { Completed: 1 } }),
    experiment("bert-9", { tags: { team: "Vision" }, runs: { Completed: 2, Failed: 3 } }),
    experiment("digits", { description: "by hand", last_activity: "2026-05-02T00:00:00Z" }),
  ];

  it("has every word somewhere", () => {
    expect(names(matching(all, "BERT vision"))).toEqual(["bert-9"]);
    expect(names(matching(all, "hand"))).toEqual(["digits"]);
    expect(matching(all, "  ")).toHaveLength(3);
  });

  it("is in the order that was asked for", () => {
    expect(names(inOrder(all, "name"))).toEqual(["bert-9", "bert-10", "digits"]);
    expect(names(inOrder(all, "runs"))).toEqual(["bert-9", "bert-10", "digits"]);
    expect(names(inOrder(all, "activity"))).toEqual(["bert-10", "digits", "bert-9"]);
  });

  it("stays where it is when it is loaded again, and what is new comes first", () => {
    const [one, two, three] = all as [Experiment, Experiment, Experiment];
    const fresh = experiment("fresh");
    expect(names(keepingPlaces([one, two, three], [three, fresh, one, two]))).toEqual([
      "fresh",
      "bert-10",
      "bert-9",
      "digits",
    ]);
    expect(names(keepingPlaces([one, two], [two]))).toEqual(["bert-9"]);
  });
});

describe("points that a run logs meanwhile", () => {
  it("move the curve on, and the last, lowest and highest value", () => {
    const grown = withPoints(metric, [
      { step: 20, value: 0.5 },
      { step: 30, value: "NaN" },
    ]);
    expect(grown.sparkline).toEqual({ steps: [0, 10, 20], values: [4, 2, 0.5] });
    expect(grown).toMatchObject({ last: "NaN", min: 0.5, max: 4 });
    expect(metric.sparkline.steps).toEqual([0, 10]);
  });

  it("that came already, or belong before, change nothing", () => {
    expect(withPoints(metric, [{ step: 10, value: 2 }])).toEqual(metric);
    expect(withPoints(metric, [{ step: 5, value: 9 }])).toEqual(metric);
  });

  it("never become too many, and the extremes stay", () => {
    const many = Array.from({ length: 5_000 }, (_, i) => ({
      step: i + 11,
      value: i === 777 ? -50 : i === 778 ? 50 : Math.sin(i),
    }));
    let grown = metric;
    for (const point of many) grown = withPoints(grown, [point]);
    const { steps, values } = grown.sparkline;
    expect(steps.length).toBeLessThanOrEqual(120);
    expect([Math.min(...values), Math.max(...values)]).toEqual([-50, 50]);
    expect(steps).toEqual([...steps].sort((one, other) => one - other));
    expect(steps.at(-1)).toBe(5_010);
  });
});

describe("how to have a first run", () => {
  it("is short at the usual address, and says any other", () => {
    const usual = "http://127.0.0.1:8780";
    expect(firstLines(usual, "default").split("\n")).toHaveLength(3);
    expect(firstLines(usual, "default")).toContain("Experiment(Workspace(), ");
    expect(firstLines("https://runs.example", "default")).toContain(
      'Workspace("https://runs.example")',
    );
    expect(firstLines(usual, "team")).toContain('Workspace(name="team")');
    expect(submitCommand(usual, "default")).toMatch(/^runhistory submit /);
    expect(submitCommand("https://runs.example", "team").split("\n").slice(0, 2)).toEqual([
      "export RUNHISTORY_URL=https://runs.example",
      "export RUNHISTORY_WORKSPACE=team",
    ]);
  });
});
