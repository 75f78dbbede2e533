/** Between URLs and pages, both ways; pure. Names in paths are percent-encoded, so any text fits. */

import { type PageName, pages } from "./pages";

export const DEFAULT_WORKSPACE = "default";

type NamesIn<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

/** What a page's path names: `{ workspace: string; run_id: string }` for a run. */
export type Names<P extends PageName> = Record<NamesIn<(typeof pages)[P]["path"]>, string>;

export type Route = {
  page: PageName;
  names: { workspace: string } & Record<string, string>;
  query: URLSearchParams;
};

/** What a query may be made of; what is null, undefined or "" is left out, a list is repeated. */
export type Query = Record<string, string | number | readonly string[] | null | undefined>;

/** The address of a page: `href("run", { workspace, run_id }, { tab: "console" })`. */
export function href<P extends PageName>(page: P, names: Names<P>, query: Query = {}): string {
  const values: Record<string, string> = names;
  const path = pages[page].path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(values[name] ?? ""),
  );
  return path + printQuery(query);
}

/** `?name=value&…` in the order given, or nothing. */
export function printQuery(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = typeof value === "object" && value !== null ? value : [value ?? ""];
    for (const one of values) if (one !== "") search.append(name, String(one));
  }
  return search.size > 0 ? `?${search.toString()}` : "";
}

/** The page at an address of this site; null: there is none. */
export function parseRoute(path: string, search: string): Route | null {
  const query = new URLSearchParams(search);
  if (path === "/") {
    return { page: "experiments", names: { workspace: DEFAULT_WORKSPACE }, query };
  }
  for (const page of Object.keys(pages) as PageName[]) {
    const names = match(pages[page].path, path);
    if (names?.workspace) return { page, names: { ...names, workspace: names.workspace }, query };
  }
  return null;
}

function match(template: string, path: string): Record<string, string> | null {
  const wanted = template.split("/");
  const given = path.replace(/(?<=.)\/$/, "").split("/");
  if (wanted.length !== given.length) return null;
  const names: Record<string, string> = {};
  for (const [place, part] of wanted.entries()) {
    const text = given[place] ?? "";
    if (part.startsWith("{")) {
      const name = decoded(text);
      if (!name) return null;
      names[part.slice(1, -1)] = name;
    } else if (part !== text) {
      return null;
    }
  }
  return names;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a lone percent sign
  }
}
