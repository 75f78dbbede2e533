/** The tabs of a run's page: their names stand in the URL. */

export const TABS = [
  { name: "overview", title: "Overview" },
  { name: "metrics", title: "Metrics" },
  { name: "console", title: "Console" },
  { name: "system", title: "System" },
  { name: "outputs", title: "Outputs" },
  { name: "code", title: "Code" },
  { name: "events", title: "Events" },
  { name: "children", title: "Children" },
] as const;

export type TabName = (typeof TABS)[number]["name"];

/** The tab that a query names; the first, where it names none that there is. */
export function tabOf(query: URLSearchParams): TabName {
  const wanted = query.get("tab");
  return TABS.find(({ name }) => name === wanted)?.name ?? "overview";
}

/** The tab `by` places further; behind the last comes the first. */
export function neighbour(tab: TabName, by: number): TabName {
  const place = TABS.findIndex(({ name }) => name === tab);
  return TABS[(place + by + TABS.length) % TABS.length]?.name ?? tab;
}
