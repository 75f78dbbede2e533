/** The deployment's token, where it has one: kept for this tab alone, shown with every request. */

const KEY = "runhistory.token";
const UNAUTHORIZED = 401;

class Token {
  #value = $state(sessionStorage.getItem(KEY));
  /** whether the gateway has refused what we showed */
  refused = $state(false);
  /** whether it was typed in and has not been taken yet; else it was taken once, or by an earlier page */
  isNew = $state(false);

  get value(): string | null {
    return this.#value;
  }

  /** Take a token that somebody typed in, and try again. */
  set(value: string): void {
    sessionStorage.setItem(KEY, value);
    this.#value = value;
    this.isNew = true;
    this.refused = false;
  }

  /** What the gateway answered to a request that showed it. */
  heard(status: number): void {
    if (status === UNAUTHORIZED) this.refused = true;
    else this.isNew = false;
  }

  /** The headers that a request needs. */
  headers(): Record<string, string> {
    if (!this.#value) return {};
    // A header is bytes, so any letter fits that the gateway was started with.
    const bytes = new TextEncoder().encode(this.#value);
    return { Authorization: `Bearer ${String.fromCharCode(...bytes)}` };
  }
}

export const token = new Token();
