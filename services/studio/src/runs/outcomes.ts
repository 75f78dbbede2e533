/** What became of a command to many runs, in one or two sentences; pure. */

import { formatCount } from "../design/format";

export type Outcome = {
  run_id: string;
  outcome: string;
  message: string | null;
};

/** A deed in its two forms: `{ done: "archived", unchanged: "was archived already" }`. */
export type Deed = { done: string; unchanged: string };

export const DEEDS = {
  cancel: { done: "told to cancel", unchanged: "had ended or was told already" },
  archive: { done: "archived", unchanged: "was archived already" },
  reactivate: { done: "taken back from the archive", unchanged: "was not archived" },
  set_tags: { done: "tagged", unchanged: "had the tag already" },
  remove_tags: { done: "without the tag now", unchanged: "did not have the tag" },
} as const satisfies Record<string, Deed>;

export type Told = { text: string; tone: "plain" | "bad" };

export function tell(deed: Deed, outcomes: readonly Outcome[]): Told {
  const of = (...names: string[]): Outcome[] =>
    outcomes.filter(({ outcome }) => names.includes(outcome));
  const [done, unchanged] = [of("accepted"), of("unchanged")];
  const [refused, unknown] = [of("refused"), of("unknown")];
  const parts = [
    done.length > 0 ? `${runs(done.length)} ${deed.done}.` : "",
    unchanged.length > 0 ? `${runs(unchanged.length)} ${deed.unchanged}.` : "",
    refused.length > 0 ? `${runs(refused.length)} refused: ${reasons(refused)}.` : "",
    unknown.length > 0
      ? `Of ${runs(unknown.length)} it is not known yet; the table shows what becomes of it.`
      : "",
  ].filter((part) => part !== "");
  const bad = refused.length > 0 || unknown.length > 0;
  return { text: parts.join(" ") || "No run was selected.", tone: bad ? "bad" : "plain" };
}

export function runs(count: number): string {
  return count === 1 ? "1 run" : `${formatCount(count)} runs`;
}

const MOST_REASONS = 2;
const LONGEST_REASON = 160;

function reasons(refused: readonly Outcome[]): string {
  const all = [...new Set(refused.map(({ message }) => message ?? "no reason was given"))];
  const shown = all.slice(0, MOST_REASONS).map((reason) => shortened(reason));
  const more = all.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

function shortened(reason: string): string {
  const plain = reason.replace(/\.$/, "");
  return plain.length > LONGEST_REASON ? `${plain.slice(0, LONGEST_REASON)}…` : plain;
}
