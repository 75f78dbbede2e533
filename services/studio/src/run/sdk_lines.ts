/** The lines of Python that read a run; pure. */

/** `text` as a Python string literal, in ASCII. */
export function pythonString(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u{7f}-\u{10ffff}]/gu, escaped);
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
}

type Place = {
  url: string;
  workspace: string;
  runId: string;
  key: string | null;
  /** the deployment has one, and it is no thing to copy */
  needsToken: boolean;
};

export function sdkLines({ url, workspace, runId, key, needsToken }: Place): string {
  const reads = key === null ? "run.get_metrics()" : `run.get_metrics()[${pythonString(key)}]`;
  return [
    ...(needsToken ? ["# RUNHISTORY_TOKEN has to be set, to the deployment's token."] : []),
    "from runhistory import Workspace",
    "",
    `workspace = Workspace(${pythonString(url)}, ${pythonString(workspace)})`,
    `run = workspace.get_run(${pythonString(runId)})`,
    `print(run.get_status(), ${reads})`,
    "print(run.get_file_names())",
  ].join("\n");
}
