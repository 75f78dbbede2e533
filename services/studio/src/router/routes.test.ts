import { describe, expect, it } from "vitest";
import { href, parseRoute, printQuery } from "./routes";

const HOSTILE = ["a/b", "a..", "50%", "<img src=x onerror=alert(1)>", "עברית ‮", "🙂 ?#&=", " "];

describe("addresses", () => {
  it("say which page is meant", () => {
    expect(parseRoute("/w/team/runs/0190", "?tab=console")).toMatchObject({
      page: "run",
      names: { workspace: "team", run_id: "0190" },
    });
    expect(parseRoute("/w/team/runs", "")).toMatchObject({ page: "runs" });
    expect(parseRoute("/w/team/runs/", "")).toMatchObject({ page: "runs" });
  });

  it("begin with the experiments of the default workspace", () => {
    expect(parseRoute("/", "")).toMatchObject({
      page: "experiments",
      names: { workspace: "default" },
    });
  });

  it.each(["/w", "/w//runs", "/w/a/b", "/w/%/runs", "/elsewhere", "/w/a/runs/b/c"])(
    "that no page has lead nowhere: %s",
    (path) => {
      expect(parseRoute(path, "")).toBeNull();
    },
  );

  it.each(HOSTILE)("carry any name there and back: %s", (name) => {
    const address = new URL(href("run", { workspace: "w", run_id: name }, { q: name }), "http://h");
    const route = parseRoute(address.pathname, address.search);
    expect(route?.names.run_id).toBe(name);
    expect(route?.query.get("q")).toBe(name);
  });
});

describe("queries", () => {
  it("leave out what says nothing and repeat lists", () => {
    expect(printQuery({ q: "", sort: null, status: ["Running", "Failed"], page: 2 })).toBe(
      "?status=Running&status=Failed&page=2",
    );
    expect(printQuery({ q: undefined, status: [] })).toBe("");
  });
});
