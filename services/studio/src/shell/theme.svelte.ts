/** Light, dark, or as the system has it; public/theme.js reads the choice before the first paint. */

export type ThemeName = "system" | "light" | "dark";

const KEY = "runhistory.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

class Theme {
  #chosen = $state<ThemeName>(stored());
  #systemIsDark = $state(system.matches);

  /** What is seen now: charts read their colours anew when this changes. */
  readonly isDark = $derived(
    this.#chosen === "system" ? this.#systemIsDark : this.#chosen === "dark",
  );

  constructor() {
    system.addEventListener("change", (event) => {
      this.#systemIsDark = event.matches;
    });
  }

  get chosen(): ThemeName {
    return this.#chosen;
  }

  choose(theme: ThemeName): void {
    const root = document.documentElement;
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    localStorage.setItem(KEY, theme);
    this.#chosen = theme;
  }

  /** The next of the three: first the one that the system does not have, so that a change is seen. */
  next(): void {
    const order: ThemeName[] = this.#systemIsDark
      ? ["system", "light", "dark"]
      : ["system", "dark", "light"];
    this.choose(order[order.indexOf(this.#chosen) + 1] ?? "system");
  }
}

function stored(): ThemeName {
  const found = document.documentElement.dataset.theme;
  return found === "light" || found === "dark" ? found : "system";
}

export const theme = new Theme();
