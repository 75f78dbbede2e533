/** What each tab of a run's page is given. */

import type { RunDetails, RunFeed } from "./feed.svelte";

export type TabProps = { feed: RunFeed; run: RunDetails; query: URLSearchParams };
