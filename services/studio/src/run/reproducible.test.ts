import { expect, it } from "vitest";
import type { RunDetails } from "./feed.svelte";
import { whyNotReproducible } from "./reproducible";

const spec = { script: "train.py" } as RunDetails["spec"];
const environment = { packages_sha256: "0" } as RunDetails["environment"];

it("a run with a script and packages on record can be reproduced, while it runs too", () => {
  expect(whyNotReproducible({ spec, environment, status: "Completed" })).toBeNull();
  expect(whyNotReproducible({ spec, environment, status: "Running" })).toBeNull();
});

it("says why a run cannot be reproduced", () => {
  const why = (known: Partial<Parameters<typeof whyNotReproducible>[0]>): string | null =>
    whyNotReproducible({ spec, environment: null, status: "Queued", ...known });
  expect(why({ spec: null, environment })).toContain("did not start the program");
  expect(why({})).toContain("once its script has started");
  expect(why({ status: "Canceled" })).toContain("never started");
  expect(why({ environment: { ...environment, packages_sha256: null } as never })).not.toBeNull();
});
