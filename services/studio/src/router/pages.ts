/** Every page of the studio: its path, its name, and where it lies. A new page is one entry. */

import type { Component } from "svelte";

/** What each page's component is given; the query is the page's own to read and to print. */
export type PageProps = {
  names: { workspace: string } & Record<string, string>;
  query: URLSearchParams;
};

type Page = {
  path: string;
  title: string;
  /** whether it stands in the header's navigation */
  listed: boolean;
  load: () => Promise<{ default: Component<PageProps> }>;
};

export const pages = {
  experiments: {
    path: "/w/{workspace}/experiments",
    title: "Experiments",
    listed: true,
    load: () => import("../experiments/ExperimentsPage.svelte"),
  },
  runs: {
    path: "/w/{workspace}/runs",
    title: "Runs",
    listed: true,
    load: () => import("../runs/RunsPage.svelte"),
  },
  run: {
    path: "/w/{workspace}/runs/{run_id}",
    title: "Run",
    listed: false,
    load: () => import("../run/RunPage.svelte"),
  },
} as const satisfies Record<string, Page>;

export type PageName = keyof typeof pages;
