/** The address bar as reactive state. Links are plain `<a href>`; a click on one stays in the page. */

import { parseRoute, type Query, printQuery, type Route } from "./routes";

class Location {
  #path = $state(window.location.pathname);
  #search = $state(window.location.search);

  /** Where we are; null: there is no such page. */
  readonly route: Route | null = $derived(parseRoute(this.#path, this.#search));

  /** The path and query, for keys. */
  get path(): string {
    return this.#path;
  }

  /** Take over what the browser's address bar says. */
  read(): void {
    this.#path = window.location.pathname;
    this.#search = window.location.search;
  }
}

export const location = new Location();

/**
 * Go to an address of the studio. `replace`: the back button shall not come back here. Another page
 * begins at its top, and has the focus.
 */
export function navigate(address: string, options: { replace?: boolean } = {}): void {
  const { pathname: before, search } = window.location;
  if (options.replace || address === before + search) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  location.read();
  if (window.location.pathname === before) return;
  window.scrollTo(0, 0);
  document.getElementById("page")?.focus({ preventScroll: true });
}

/**
 * Change parts of this page's query and leave the rest: `setQuery({ sort: "created" })`.
 *
 * By default the address is replaced: typing in a filter is not twenty steps back.
 */
export function setQuery(changes: Query, options: { replace?: boolean } = { replace: true }): void {
  const query: Query = {};
  const now = new URLSearchParams(window.location.search);
  for (const name of new Set(now.keys())) query[name] = now.getAll(name);
  navigate(window.location.pathname + printQuery({ ...query, ...changes }), options);
}

/** Follow the back button and clicks on links; returns how to stop. */
export function followLocation(): () => void {
  const back = (): void => {
    location.read();
  };
  window.addEventListener("popstate", back);
  document.addEventListener("click", onClick);
  return () => {
    window.removeEventListener("popstate", back);
    document.removeEventListener("click", onClick);
  };
}

function onClick(event: MouseEvent): void {
  const asUsual = event.defaultPrevented || event.button !== 0;
  if (asUsual || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download")) return;
  const address = new URL(link.href, window.location.href);
  if (address.origin !== window.location.origin) return;
  if (!parseRoute(address.pathname, address.search)) return;
  event.preventDefault();
  navigate(address.pathname + address.search + address.hash);
}
