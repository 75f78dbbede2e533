/** One clock for every "5 min ago" on a page: ticks while somebody looks. */

import { createSubscriber } from "svelte/reactivity";

const TICK_MS = 10_000;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, TICK_MS);
  return () => {
    clearInterval(timer);
  };
});

/** Now; what reads it in a component is drawn again every ten seconds. */
export function now(): Date {
  subscribe();
  return new Date();
}
