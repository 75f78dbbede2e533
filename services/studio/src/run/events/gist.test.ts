import { describe, expect, it } from "vitest";
import { gist } from "./gist";

describe("the gist of an event", () => {
  it.each([
    [{ display_name: "wide", content: { type: "script" }, content_sha256: "0" }, "wide"],
    [{ compute_target: "local" }, "local"],
    [{ claim_id: "c", worker_id: "w", node: "gpu-01", message: "" }, "by w on gpu-01"],
    [{ params: { lr: "0.1", hidden: "64" } }, "lr = 0.1, hidden = 64"],
    [{ files_attempt: 1, files: [{ name: "a.md", size: 1 }, { name: "b.md" }] }, "a.md, b.md"],
    [{ environment: { python_version: "3.12.1", packages_count: 9 } }, "Python 3.12.1, 9 packages"],
    [{ exit_code: 0, signal: null }, "exit code 0"],
    [{ error: { code: "ExitCode", message: "It exited." } }, "ExitCode: It exited."],
    [{ code: "Slow", message: "It waits." }, "Slow: It waits."],
    [{ reason: "" }, ""],
    [{ files: "not as it should be", names: 7, tags: null, error: 1 }, ""],
  ])("of %o is %s", (data, said) => {
    expect(gist(data)).toBe(said);
  });

  it("stays short", () => {
    expect(gist({ reason: "x".repeat(10_000) })).toHaveLength(300);
  });
});
