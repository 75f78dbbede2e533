/** Loads again when something has changed: one load at a time, and not too often; pure but for its timer. */

const GAP_MS = 400;

/** `load` is given watermarks: what it reads has to be as new as these. It handles its own failures. */
export class Refresher {
  readonly #load: (watermarks: string[]) => Promise<void>;
  readonly #gap: number;
  readonly #newest = new Map<string, number>();
  #isWanted = false;
  #isBusy = false;
  #isStopped = false;

  constructor(load: (watermarks: string[]) => Promise<void>, gap: number = GAP_MS) {
    this.#load = load;
    this.#gap = gap;
  }

  /** Something is new: now at once if nothing is under way, else when that is done. */
  poke(...watermarks: (string | null)[]): void {
    for (const watermark of watermarks) if (watermark !== null) this.#remember(watermark);
    this.#isWanted = true;
    if (!this.#isBusy) void this.#run();
  }

  /** Load nothing any more. */
  stop(): void {
    this.#isStopped = true;
  }

  #remember(watermark: string): void {
    const slash = watermark.lastIndexOf("/");
    const place = watermark.slice(0, slash);
    const offset = Number(watermark.slice(slash + 1));
    this.#newest.set(place, Math.max(offset, this.#newest.get(place) ?? 0));
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false;
      const watermarks = [...this.#newest].map(([place, offset]) => `${place}/${offset}`);
      this.#newest.clear();
      await this.#load(watermarks);
      await new Promise((resolve) => setTimeout(resolve, this.#gap));
    }
    this.#isBusy = false;
  }
}
