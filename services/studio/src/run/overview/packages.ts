/** A pip requirements file with exact versions; pure. */

export function packagesIn(text: string): { name: string; version: string }[] {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, version] =
      /^([\w.-]+)(?:\[[^\]]*\])?\s*(?:===?|@)\s*([^\s;\\]+)/.exec(line) ?? [];
    if (name && version) found.set(name, version);
  }
  return Array.from(found, ([name, version]) => ({ name, version }));
}
