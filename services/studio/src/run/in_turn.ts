/**
 * Loads one after the other; pure.
 *
 * While a load is under way, however often another is wanted is once: so an older answer never takes
 * a newer one's place, and in a flood of wishes there still are answers.
 */

export class InTurn {
  readonly #load: () => Promise<void>;
  #isWanted = false;
  #running: Promise<void> | null = null;

  /** `load` handles its own failures. */
  constructor(load: () => Promise<void>) {
    this.#load = load;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Whether what is being loaded is not new enough any more. */
  get isStale(): boolean {
    return this.#isWanted;
  }

  /** Have it loaded as it is from now on, and return when it is. */
  want(): Promise<void> {
    this.#isWanted = true;
    return (this.#running ??= this.#run());
  }

  async #run(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#load();
    }
    this.#running = null;
  }
}
