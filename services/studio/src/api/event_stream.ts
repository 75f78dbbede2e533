/** The format of server-sent events, read piece by piece; pure. */

/** One message. `id` is what to go on behind; a message with empty `data` only moves that on. */
export type ServerMessage = { id: string; event: string; data: string };

/** Takes text in any pieces and gives out whole messages. */
export class EventStreamReader {
  #rest = "";
  #id = "";
  #event = "";
  #data: string[] = [];

  /** The messages that this piece completes. */
  read(piece: string): ServerMessage[] {
    const text = this.#rest + piece;
    // A carriage return at the end may be half of a line's end.
    const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
    const lines = whole.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(whole.length);
    return lines.map((line) => this.#take(line)).filter((message) => message !== null);
  }

  #take(line: string): ServerMessage | null {
    if (line === "") return this.#complete();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #complete(): ServerMessage {
    const message = {
      id: this.#id,
      event: this.#event || "message",
      data: this.#data.join("\n"),
    };
    this.#event = "";
    this.#data = [];
    return message;
  }
}
