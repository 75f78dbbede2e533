/** A snapshot's manifest, as the gateway keeps it; pure. */

export type Entry =
  | { type: "file"; path: string; mode: number; size: number; sha256: string }
  | { type: "link"; path: string; target: string }
  | { type: "directory"; path: string; mode: number };

export type Manifest = { version: number; entries: Entry[] };

/** What to read first: the script that ran, else what explains the rest, else the first of all. */
export function entryToRead(paths: Iterable<string>, script: string | null): string | null {
  const all = [...paths];
  const wanted = [script, "README.md", "train.py", "main.py"];
  return wanted.find((path) => path !== null && all.includes(path)) ?? all[0] ?? null;
}
