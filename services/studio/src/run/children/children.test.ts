import { describe, expect, it } from "vitest";
import { concerns } from "./children";

describe("an event of the workspace", () => {
  const about = (type: string, data: object): string | null =>
    concerns(JSON.stringify({ type, watermark: "run.events/0/1", data }), "p", [{ run_id: "c" }]);

  it("concerns the list of children, or not", () => {
    expect(about("run.started.v1", { run_id: "c" })).toBe("run.events/0/1");
    expect(about("run.started.v1", { run_id: "x" })).toBeNull();
    expect(about("run.created.v1", { run_id: "x", parent_run_id: "p" })).toBe("run.events/0/1");
    expect(about("run.created.v1", { run_id: "x", parent_run_id: "other" })).toBeNull();
  });
});
