/** The deployment's token, where it has one: kept for this tab alone, shown with every request. */

const KEY = "runhistory.token";

class Token {
  #value = $state(sessionStorage.getItem(KEY));
  /** whether the gateway has refused what we showed */
  refused = $state(false);

  get value(): string | null {
    return this.#value;
  }

  /** Take a token that somebody typed in, and try again. */
  set(value: string): void {
    sessionStorage.setItem(KEY, value);
    this.#value = value;
    this.refused = false;
  }

  /** The headers that a request needs. */
  headers(): Record<string, string> {
    return this.#value ? { Authorization: `Bearer ${this.#value}` } : {};
  }
}

export const token = new Token();
