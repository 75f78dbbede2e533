/** Markdown as blocks of our own: what is HTML in it stays text; pure. inline.ts has the insides of lines. */

export type Item = { checked: boolean | null; blocks: Block[] };
export type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "paragraph"; text: string }
  | { kind: "code"; language: string; text: string }
  | { kind: "list"; ordered: boolean; start: number; items: Item[] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "table"; header: string[]; rows: string[][] }
  | { kind: "rule" };

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}>\s?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( {1,4})(?! )| {5,}|\t|$)/;
const DIVIDER = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
/** Deeper than this, quotes and lists are shown as the text they are. */
const DEEPEST = 12;

export function parseMarkdown(text: string): Block[] {
  return blocksOf(text.replaceAll(/\r\n?/g, "\n").split("\n"), 0);
}

type Taken = { block: Block; end: number };
type Reader = (lines: readonly string[], at: number, depth: number) => Taken | null;

const READERS: readonly Reader[] = [fence, heading, rule, quote, list, table];

function blocksOf(lines: readonly string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at]?.trim() === "") {
      at += 1;
      continue;
    }
    const taken = special(lines, at, depth) ?? paragraph(lines, at, depth);
    blocks.push(taken.block);
    at = taken.end;
  }
  return blocks;
}

function special(lines: readonly string[], at: number, depth: number): Taken | null {
  if (depth > DEEPEST) return null;
  for (const read of READERS) {
    const taken = read(lines, at, depth);
    if (taken) return taken;
  }
  return null;
}

function paragraph(lines: readonly string[], at: number, depth: number): Taken {
  let end = at + 1;
  while (end < lines.length && lines[end]?.trim() !== "" && !special(lines, end, depth)) end += 1;
  return { block: { kind: "paragraph", text: lines.slice(at, end).join("\n").trim() }, end };
}

function fence(lines: readonly string[], at: number): Taken | null {
  const found = FENCE.exec(lines[at] ?? "");
  const mark = found?.[1];
  if (!mark) return null;
  let end = at + 1;
  const isEnd = (line: string): boolean =>
    line.trim().startsWith(mark) && /^[`~]+$/.test(line.trim());
  while (end < lines.length && !isEnd(lines[end] ?? "")) end += 1;
  const text = lines.slice(at + 1, end).join("\n");
  return { block: { kind: "code", language: found[2] ?? "", text }, end: end + 1 };
}

function heading(lines: readonly string[], at: number): Taken | null {
  const found = HEADING.exec(lines[at] ?? "");
  if (!found) return null;
  const level = found[1]?.length ?? 1;
  return { block: { kind: "heading", level, text: found[2] ?? "" }, end: at + 1 };
}

function rule(lines: readonly string[], at: number): Taken | null {
  return RULE.test(lines[at] ?? "") ? { block: { kind: "rule" }, end: at + 1 } : null;
}

function quote(lines: readonly string[], at: number, depth: number): Taken | null {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end] ?? "")) end += 1;
  if (end === at) return null;
  const inside = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return { block: { kind: "quote", blocks: blocksOf(inside, depth + 1) }, end };
}

function list(lines: readonly string[], at: number, depth: number): Taken | null {
  const first = ITEM.exec(lines[at] ?? "");
  if (!first) return null;
  const ordered = /\d/.test(first[2] ?? "");
  const items: Item[] = [];
  let end = at;
  for (;;) {
    const found = ITEM.exec(lines[end] ?? "");
    if (!found || /\d/.test(found[2] ?? "") !== ordered || RULE.test(lines[end] ?? "")) break;
    const item = itemLines(lines, end, found[0].trimEnd().length + 1);
    items.push(itemOf(item.inside, depth));
    end = item.end;
  }
  const start = Number.parseInt(first[2] ?? "1", 10) || 1;
  return items.length > 0 ? { block: { kind: "list", ordered, start, items }, end } : null;
}

/** The lines of an item without their indent: to the next one, or to a line that is not indented behind an empty one. */
function itemLines(
  lines: readonly string[],
  at: number,
  indent: number,
): { inside: string[]; end: number } {
  const inside = [(lines[at] ?? "").slice(indent)];
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end] ?? "";
    const isIndented = /^(?: {2,}|\t)/.test(line);
    const isBehindEmpty = lines[end - 1]?.trim() === "";
    if (line.trim() !== "" && !isIndented && (isBehindEmpty || ITEM.test(line))) break;
    inside.push(line.replace(new RegExp(`^(?: {1,${indent}}|\t)`), ""));
  }
  return { inside, end };
}

function itemOf(inside: string[], depth: number): Item {
  const box = /^\s*\[([ xX])\]\s+/.exec(inside[0] ?? "");
  if (box) inside[0] = (inside[0] ?? "").slice(box[0].length);
  return { checked: box ? box[1] !== " " : null, blocks: blocksOf(inside, depth + 1) };
}

function table(lines: readonly string[], at: number): Taken | null {
  const [head = "", divider = ""] = [lines[at], lines[at + 1]];
  if (!head.includes("|") || !divider.includes("-") || !DIVIDER.test(divider)) return null;
  const header = cellsOf(head);
  if (header.length !== cellsOf(divider).length) return null;
  let end = at + 2;
  const rows: string[][] = [];
  for (; lines[end]?.includes("|"); end += 1) {
    const cells = cellsOf(lines[end] ?? "");
    rows.push(header.map((_, i) => cells[i] ?? ""));
  }
  return { block: { kind: "table", header, rows }, end };
}

function cellsOf(line: string): string[] {
  const inside = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inside.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}
