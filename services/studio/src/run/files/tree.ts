/** Paths as a tree of folders and files, and the rows that are seen of it; pure. */

import { inNaturalOrder } from "../series";

export type Folder<F> = { name: string; path: string; folders: Folder<F>[]; files: Leaf<F>[] };
export type Leaf<F> = { name: string; path: string; file: F };

/** One row of the tree: how deep, and its place among its siblings, as screen readers say it. */
export type Row<F> = {
  path: string;
  name: string;
  level: number;
  place: number;
  siblings: number;
  /** null: a file */
  open: boolean | null;
  file: F | null;
};

/** The tree of these paths; folders come before files, each in natural order. */
export function treeOf<F>(entries: Iterable<readonly [path: string, file: F]>): Folder<F> {
  const root: Folder<F> = { name: "", path: "", folders: [], files: [] };
  const known = new Map([["", root]]);
  const folderAt = (path: string): Folder<F> => {
    const found = known.get(path);
    if (found) return found;
    const slash = path.lastIndexOf("/");
    const made = { name: path.slice(slash + 1), path, folders: [], files: [] };
    known.set(path, made);
    folderAt(path.slice(0, Math.max(0, slash))).folders.push(made);
    return made;
  };
  for (const [path, file] of entries) {
    const slash = path.lastIndexOf("/");
    folderAt(path.slice(0, Math.max(0, slash))).files.push({
      name: path.slice(slash + 1),
      path,
      file,
    });
  }
  for (const folder of known.values()) {
    folder.folders.sort((one, other) => inNaturalOrder(one.name, other.name));
    folder.files.sort((one, other) => inNaturalOrder(one.name, other.name));
  }
  return root;
}

/** The rows of the tree from its top down, without what lies in closed folders. */
export function rowsOf<F>(root: Folder<F>, closed: ReadonlySet<string>, level = 1): Row<F>[] {
  const siblings = root.folders.length + root.files.length;
  const rows: Row<F>[] = [];
  for (const [i, folder] of root.folders.entries()) {
    const { path, name } = folder;
    const open = !closed.has(path);
    rows.push({ path, name, level, place: i + 1, siblings, open, file: null });
    if (open) for (const row of rowsOf(folder, closed, level + 1)) rows.push(row);
  }
  for (const [i, { path, name, file }] of root.files.entries()) {
    const place = root.folders.length + i + 1;
    rows.push({ path, name, level, place, siblings, open: null, file });
  }
  return rows;
}

/** Every folder below the root. */
export function foldersOf<F>(root: Folder<F>): string[] {
  return root.folders.flatMap((folder) => [folder.path, ...foldersOf(folder)]);
}

export type TreeMove = { to: string } | { toggle: string } | null;

/** What a key means in the tree, as the ARIA practices have it: a row to go to, a folder to open or close. */
export function treeMove<F>(rows: readonly Row<F>[], at: string | null, key: string): TreeMove {
  const place = Math.max(
    0,
    rows.findIndex(({ path }) => path === at),
  );
  const row = rows[place];
  if (!row) return null;
  const goTo = (index: number): TreeMove => {
    const target = rows[Math.min(rows.length - 1, Math.max(0, index))];
    return target ? { to: target.path } : null;
  };
  if (key === "ArrowDown") return goTo(place + (at === null ? 0 : 1));
  if (key === "ArrowUp") return goTo(place - 1);
  if (key === "Home") return goTo(0);
  if (key === "End") return goTo(rows.length - 1);
  if (key === "ArrowRight" && row.open !== null) {
    return row.open ? goTo(place + 1) : { toggle: row.path };
  }
  if (key === "ArrowLeft" && row.open) return { toggle: row.path };
  if (key === "ArrowLeft" && row.level > 1) {
    return goTo(rows.slice(0, place).findLastIndex(({ level }) => level < row.level));
  }
  return null;
}

/** The first file from the top down. */
export function firstFile<F>(root: Folder<F>): string | null {
  for (const folder of root.folders) {
    const found = firstFile(folder);
    if (found !== null) return found;
  }
  return root.files[0]?.path ?? null;
}
