/** Short messages that come and go at the page's edge, and are read out: "3 runs cancelled". */

export type Message = { id: number; text: string; tone: "plain" | "bad" };

const SHOWN_MS = 6_000;

class Messages {
  shown = $state<Message[]>([]);
  #last = 0;

  /** Show a message for some seconds; one that is bad stays until it is closed. */
  say(text: string, tone: Message["tone"] = "plain"): void {
    const id = (this.#last += 1);
    this.shown.push({ id, text, tone });
    if (tone === "plain")
      setTimeout(() => {
        this.close(id);
      }, SHOWN_MS);
  }

  close(id: number): void {
    this.shown = this.shown.filter((message) => message.id !== id);
  }
}

export const messages = new Messages();
