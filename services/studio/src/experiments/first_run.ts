/** What somebody types to have a first run, at this gateway and in this workspace; pure. */

import { DEFAULT_WORKSPACE } from "../router/routes";

const DEFAULT_ORIGIN = "http://127.0.0.1:8780";

const FIRST = "first";

/** Three lines of Python. */
export function firstLines(origin: string, workspace: string, experiment = FIRST): string {
  const given = [
    ...(origin === DEFAULT_ORIGIN ? [] : [`"${origin}"`]),
    ...(workspace === DEFAULT_WORKSPACE ? [] : [`name="${workspace}"`]),
  ];
  return [
    "from runhistory import Experiment, Workspace",
    `with Experiment(Workspace(${given.join(", ")}), ${JSON.stringify(experiment)}).start_logging() as run:`,
    '    for step in range(100): run.log("loss", 1 / (step + 1))',
  ].join("\n");
}

/** The command for a shell, behind the settings that it needs where they are not the usual ones. */
export function submitCommand(origin: string, workspace: string, experiment = FIRST): string {
  return [
    ...(origin === DEFAULT_ORIGIN ? [] : [`export RUNHISTORY_URL=${origin}`]),
    ...(workspace === DEFAULT_WORKSPACE ? [] : [`export RUNHISTORY_WORKSPACE=${workspace}`]),
    `runhistory submit ./train --script train.py --experiment ${quoted(experiment)} --follow`,
  ].join("\n");
}

/** A word for a shell, whatever stands in it. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
