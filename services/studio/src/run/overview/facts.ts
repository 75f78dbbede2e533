/** What is known of a run's code, place and environment, as names with values; pure. */

import type { RunDetails } from "../feed.svelte";

type Facts = [name: string, value: string][];

const GIT = "git.";

/** What the SDK found out about the repository. */
export function gitFacts(properties: Readonly<Record<string, string>>): Facts {
  return named(properties, (name) => name.startsWith(GIT)).map(([name, value]) => [
    name.slice(GIT.length),
    value,
  ]);
}

export function otherProperties(properties: Readonly<Record<string, string>>): Facts {
  return named(properties, (name) => !name.startsWith(GIT));
}

function named(
  properties: Readonly<Record<string, string>>,
  wanted: (name: string) => boolean,
): Facts {
  return Object.entries(properties).filter(([name]) => wanted(name));
}

/** The command and what it was given to run on. */
export function placeFacts(run: RunDetails): Facts {
  const { spec } = run;
  return known([
    ["run id", run.run_id],
    ["kind", run.type === "script" ? "submitted script" : "interactive, logged by a program"],
    ["command", spec ? commandOf(spec) : ""],
    ["compute target", run.compute_target],
    ["node", run.node],
    ["GPUs", run.gpus.join(", ")],
    ["asked for", spec ? needed(spec) : ""],
    ["attempt", run.attempt > 1 ? String(run.attempt) : ""],
    ["snapshot", run.snapshot_id],
  ]);
}

export function environmentFacts({ environment }: RunDetails): Facts {
  if (!environment) return [];
  const python = [environment.implementation, environment.python_version].filter(Boolean).join(" ");
  return known([
    ["Python", python],
    ["platform", environment.platform],
    ["machine", environment.machine],
    ["packages", environment.packages_count > 0 ? String(environment.packages_count) : ""],
  ]);
}

function known(facts: readonly (readonly [string, string | null])[]): Facts {
  return facts.flatMap(([name, value]) => (value ? [[name, value]] : []));
}

type Spec = NonNullable<RunDetails["spec"]>;

/** The command as one types it. */
export function commandOf({ command, script, arguments: rest }: Spec): string {
  const words = command.length > 0 ? command : ["python", script, ...rest];
  return words.map(shellWord).join(" ");
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The slots or GPUs that it is given. */
export function needed({ resources: { gpus, slots } }: Spec): string {
  const shares = `${slots} ${slots === 1 ? "slot" : "slots"}`;
  return gpus > 0 ? `${gpus} ${gpus === 1 ? "GPU" : "GPUs"}` : shares;
}
