/** What stands within a line of Markdown: emphasis, code, links; pure. */

export type Inline =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "emphasis" | "struck"; inside: Inline[] }
  | { kind: "link"; address: string; inside: Inline[] }
  /** images lie elsewhere, and nothing is loaded from there: its words, and where it is */
  | { kind: "image"; text: string }
  | { kind: "break" };

type Rule = { pattern: RegExp; read: (found: RegExpExecArray, depth: number) => Inline };

const RULES: readonly Rule[] = [
  { pattern: /\\([!-/:-@[-`{-~])/y, read: ([, text = ""]) => ({ kind: "text", text }) },
  {
    pattern: /(`+)(?!`)([^]*?[^`])\1(?!`)/y,
    read: ([, , text = ""]) => ({ kind: "code", text: text.replace(/^ (.*) $/, "$1") }),
  },
  { pattern: /!\[([^\]]{0,1000})\]\([^()\s]*(?:\s+"[^"]*")?\)/y, read: image },
  {
    pattern:
      /\[((?:[^[\]]|\[[^[\]]*\]){1,1000})\]\(<?((?:[^()\s<>]|\([^()\s]*\))*)>?(?:\s+"[^"]*")?\)/y,
    read: ([whole, words = "", address = ""], depth) => link(whole, words, address, depth),
  },
  {
    pattern: /<(https?:\/\/[^\s<>]+)>|(https?:\/\/[^\s<>()[\]]*[^\s<>()[\].,;:!?'"*_])/y,
    read: ([whole, one, other], depth) => link(whole, one ?? whole, one ?? other ?? "", depth),
  },
  { pattern: /(\*\*|__)(?=\S)([^]{1,5000}?\S)\1/y, read: nested("strong") },
  { pattern: /~~(?=\S)()([^]{1,5000}?\S)~~/y, read: nested("struck") },
  { pattern: /(\*)(?=\S)([^*]{0,5000}?[^\s*])\*(?!\*)/y, read: nested("emphasis") },
  {
    pattern: /(?<![\p{L}\p{N}])(_)(?=\S)([^_]{0,5000}?[^\s_])_(?![\p{L}\p{N}])/uy,
    read: nested("emphasis"),
  },
  { pattern: /(?: {2,}|\\)\n/y, read: () => ({ kind: "break" }) },
];
const STARTS = /[\\`![<h*_~ ]/g;
const DEEPEST = 8;

export function parseInline(text: string, depth = 0): Inline[] {
  if (depth > DEEPEST) return [{ kind: "text", text }];
  const found: Inline[] = [];
  let begin = 0;
  let at = 0;
  while (at < text.length) {
    STARTS.lastIndex = at;
    const start = STARTS.exec(text);
    if (!start) break;
    const taken = takenAt(text, start.index, depth);
    at = taken ? taken.end : start.index + 1;
    if (!taken) continue;
    if (start.index > begin) found.push({ kind: "text", text: text.slice(begin, start.index) });
    found.push(taken.inline);
    begin = at;
  }
  if (begin < text.length) found.push({ kind: "text", text: text.slice(begin) });
  return found;
}

function takenAt(text: string, at: number, depth: number): { inline: Inline; end: number } | null {
  for (const { pattern, read } of RULES) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) return { inline: read(found, depth), end: at + found[0].length };
  }
  return null;
}

function nested(kind: "strong" | "emphasis" | "struck"): Rule["read"] {
  return ([, , inside = ""], depth) => ({ kind, inside: parseInline(inside, depth + 1) });
}

function image([, text = ""]: RegExpExecArray): Inline {
  return { kind: "image", text };
}

/** A link leads to the web or to a mailbox; anything else (`javascript:`, a path) stays text. */
function link(whole: string, words: string, address: string, depth: number): Inline {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address)) return { kind: "text", text: whole };
  const inside: Inline[] =
    words === address ? [{ kind: "text", text: words }] : parseInline(words, depth + 1);
  return { kind: "link", address, inside };
}
