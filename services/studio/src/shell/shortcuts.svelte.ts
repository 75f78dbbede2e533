/**
 * Keys that do something anywhere on a page. The shell has some, each page adds its own while it is shown:
 *
 *     $effect(() => shortcuts.add([{ key: "f", does: "Follow the console", run: follow }]));
 */

import { untrack } from "svelte";

export type Shortcut = {
  /** As `KeyboardEvent.key` has it: "/", "?", "ArrowDown", "r". */
  key: string;
  /** For the help: "Search". */
  does: string;
  run: (event: KeyboardEvent) => void;
};

const KEY = "runhistory.shortcuts";

class Shortcuts {
  /** Who speaks to the computer, or types by accident, can turn letters off (WCAG 2.1.4). */
  #lettersAreOff = $state(localStorage.getItem(KEY) === "off");
  #groups = $state.raw<readonly Shortcut[][]>([]);

  /** All of them, the newest group first: a page's key goes before the shell's. */
  readonly all = $derived(this.#groups.toReversed().flat());

  get lettersAreOff(): boolean {
    return this.#lettersAreOff;
  }

  /** Whether keys that are characters do something; arrows always do. */
  turnLetters(on: boolean): void {
    localStorage.setItem(KEY, on ? "on" : "off");
    this.#lettersAreOff = !on;
  }

  /** Add some; returns how to take them away. */
  add(group: Shortcut[]): () => void {
    // The effect that adds keys shall not run again because there are more of them.
    const groups = untrack(() => this.#groups);
    this.#groups = [...groups, group];
    return () => {
      this.#groups = this.#groups.filter((other) => other !== group);
    };
  }

  /** Do what a key means, unless it is text for a field or belongs to a dialog. */
  onKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#lettersAreOff && event.key.length === 1) return;
    if (isTyping(event.target) || scrolls(event) || document.querySelector("dialog[open]")) return;
    const found = this.all.find((shortcut) => shortcut.key === event.key);
    if (!found) return;
    event.preventDefault();
    found.run(event);
  }
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("input, textarea, select");
}

/** Whether an arrow is for what has the focus: it is wider than what is seen of it. */
function scrolls({ key, target }: KeyboardEvent): boolean {
  const isAside = key === "ArrowLeft" || key === "ArrowRight";
  return isAside && target instanceof HTMLElement && isWiderThanSeen(target);
}

function isWiderThanSeen(element: HTMLElement): boolean {
  if (element.scrollWidth <= element.clientWidth) return false;
  return ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
}

/** Put the cursor into the page's search: the field that carries `data-page-search`. */
export function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("[data-page-search]");
  field?.focus();
  field?.select();
}

export const shortcuts = new Shortcuts();
