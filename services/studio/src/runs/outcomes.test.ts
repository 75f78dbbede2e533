import { describe, expect, it } from "vitest";
import { DEEDS, type Outcome, tell } from "./outcomes";

const outcome = (name: string, message: string | null = null): Outcome => ({
  run_id: "r",
  outcome: name,
  message,
});

describe("what became of a command", () => {
  it("is said in words", () => {
    expect(tell(DEEDS.archive, [outcome("accepted"), outcome("accepted")])).toEqual({
      text: "2 runs archived.",
      tone: "plain",
    });
    expect(tell(DEEDS.cancel, [outcome("accepted"), outcome("unchanged")]).text).toBe(
      "1 run told to cancel. 1 run had ended or was told already.",
    );
  });

  it("says why some were refused, each reason once, and not without end", () => {
    const told = tell(DEEDS.set_tags, [
      outcome("refused", "The run is deleted."),
      outcome("refused", "The run is deleted."),
      outcome("refused", "x".repeat(10_000)),
      outcome("refused", "third"),
    ]);
    expect(told.tone).toBe("bad");
    expect(told.text).toMatch(/^4 runs refused: The run is deleted; x+…; and 1 more\.$/);
    expect(told.text.length).toBeLessThan(300);
  });

  it("does not claim what is not known", () => {
    expect(tell(DEEDS.archive, [outcome("unknown")])).toMatchObject({ tone: "bad" });
    expect(tell(DEEDS.archive, []).text).toBe("No run was selected.");
  });
});
