/** Colours of terminals in a line of text, as pieces to be shown as elements; pure. */

/** A colour: one of the sixteen by its number (the tokens say how it looks), or exactly. */
export type Colour = number | `#${string}`;

export type Style = {
  colour: Colour | null;
  behind: Colour | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underlined: boolean;
  struck: boolean;
  inverse: boolean;
};

export type Piece = { text: string; style: Style };

export const PLAIN: Style = {
  colour: null,
  behind: null,
  bold: false,
  dim: false,
  italic: false,
  underlined: false,
  struck: false,
  inverse: false,
};

// Control sequences (colours are those that end with m), titles and links, and other escapes.
const ESCAPE = new RegExp(
  [
    "\\u001b\\[([0-?]*)[ -/]*([@-~])",
    "\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)",
    "\\u001b[ -/]*[0-~]?",
  ].join("|"),
  "g",
);
const UNSEEN = /[^\P{Cc}\t\n]/gu;

/** What a terminal shows of a line: behind a carriage return it writes over what stood there. */
export function lastWritten(line: string): string {
  return lineEnd(line).replace(/\r+$/, "");
}

/** From where it was written last to the end. */
function lineEnd(line: string): string {
  const text = line.replace(/\r+$/, "");
  return line.slice(text.lastIndexOf("\r") + 1);
}

/** A line's pieces of one style each, and the style that it leaves to the line behind it. */
export type Parsed = { pieces: Piece[]; after: Style };

/** The line in pieces, without what only a terminal understands; it begins in the style `before`. */
export function parseAnsi(line: string, before: Style = PLAIN): Parsed {
  if (!line.includes("\u001b"))
    return { pieces: withText([], lastWritten(line), before), after: before };
  const begin = line.length - lineEnd(line).length;
  let pieces: Piece[] = [];
  let style = before;
  let end = 0;
  for (const found of line.matchAll(ESCAPE)) {
    pieces = withText(pieces, line.slice(Math.max(begin, end), found.index), style);
    end = found.index + found[0].length;
    if (found[2] === "m") style = styled(style, (found[1] ?? "").split(/[;:]/).map(Number));
  }
  return { pieces: withText(pieces, line.slice(Math.max(begin, end)), style), after: style };
}

/** Lines as plain text. */
export function withoutColours(text: string): string {
  return text.split("\n").map(withoutAnsi).join("\n");
}

/** The line as plain text. */
export function withoutAnsi(line: string): string {
  return lastWritten(line).replaceAll(ESCAPE, "").replaceAll(UNSEEN, "");
}

function withText(pieces: Piece[], raw: string, style: Style): Piece[] {
  const text = raw.replaceAll(UNSEEN, "");
  if (text !== "") pieces.push({ text, style });
  return pieces;
}

const ON: Record<number, Partial<Style>> = {
  0: PLAIN,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underlined: true },
  7: { inverse: true },
  9: { struck: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underlined: false },
  27: { inverse: false },
  29: { struck: false },
  39: { colour: null },
  49: { behind: null },
};

function styled(before: Style, codes: number[]): Style {
  const style = { ...before };
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    const [base, place] = [code % 10, Math.floor(code / 10)];
    if (code === 38 || code === 48) {
      const found = exactColour(codes.slice(i + 1));
      if (found) style[code === 38 ? "colour" : "behind"] = found.colour;
      i += found?.used ?? codes.length;
    } else if (base < 8 && (place === 3 || place === 9))
      style.colour = base + (place === 9 ? 8 : 0);
    else if (base < 8 && (place === 4 || place === 10))
      style.behind = base + (place === 10 ? 8 : 0);
    else Object.assign(style, ON[code]);
  }
  return style;
}

/** `5;n` of 256 colours, or `2;r;g;b`. */
function exactColour(codes: number[]): { colour: Colour; used: number } | null {
  const [kind, one = 0, two = 0, three = 0] = codes;
  if (kind === 5) return { colour: ofPalette(one), used: 2 };
  if (kind === 2) return { colour: hex(one, two, three), used: 4 };
  return null;
}

function ofPalette(number: number): Colour {
  if (!(number >= 0 && number <= 255)) return 7;
  if (number < 16) return number;
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return hex(grey, grey, grey);
  }
  const level = (part: number): number => (part === 0 ? 0 : 55 + part * 40);
  const cube = number - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function hex(...parts: number[]): Colour {
  const two = (part: number): string =>
    Math.min(255, Math.max(0, Math.trunc(part) || 0))
      .toString(16)
      .padStart(2, "0");
  return `#${parts.map(two).join("")}`;
}

export type Marked = Piece & { found: boolean };

/** The pieces cut where `text` is found in the line (in any case), wherever their styles change. */
export function marked(pieces: readonly Piece[], text: string): Marked[] {
  const places = occurrences(pieces.map((piece) => piece.text).join(""), text);
  const cuts: Marked[] = [];
  let begin = 0;
  for (const piece of pieces) {
    const end = begin + piece.text.length;
    const edges = places
      .flatMap(({ from, to }) => [from, to])
      .filter((at) => at > begin && at < end);
    let from = begin;
    for (const to of [...edges, end]) {
      const isFound = places.some((place) => place.from <= from && to <= place.to);
      cuts.push({ ...piece, text: piece.text.slice(from - begin, to - begin), found: isFound });
      from = to;
    }
    begin = end;
  }
  return cuts;
}

function occurrences(line: string, text: string): { from: number; to: number }[] {
  if (text === "") return [];
  const found: { from: number; to: number }[] = [];
  const [inLine, wanted] = [line.toLowerCase(), text.toLowerCase()];
  // Letters that change their length with their case would shift the places.
  if (inLine.length !== line.length) return [];
  for (let at = inLine.indexOf(wanted); at >= 0; at = inLine.indexOf(wanted, at + wanted.length)) {
    found.push({ from: at, to: at + wanted.length });
  }
  return found;
}
