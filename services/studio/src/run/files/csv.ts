/** Tables in text: comma, semicolon or tab between the cells (RFC 4180 and what is usual); pure. */

export type Table = { header: string[]; rows: string[][] };

/** The first `limit` rows under the header. `isPart`: the text was cut, so its last row is left out. */
export function parseCsv(text: string, separator: string, limit: number, isPart = false): Table {
  const rows = cells(text.replace(/^\ufeff/, ""), separator, limit + 2, isPart);
  const [header = [], ...body] = rows;
  return { header, rows: body.slice(0, limit) };
}

/** What separates the cells: what the first line has most of. */
export function separatorOf(text: string, name = ""): string {
  if (name.toLowerCase().endsWith(".tsv")) return "\t";
  const line = (/^[^\r\n]*/.exec(text)?.[0] ?? "").replaceAll(/"[^"]*"/g, "");
  const count = (separator: string): number => line.split(separator).length;
  return [",", ";", "\t"].reduce((one, other) => (count(other) > count(one) ? other : one));
}

function cells(text: string, separator: string, limit: number, isPart: boolean): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length && rows.length < limit) {
    const cell = text[at] === '"' ? quoted(text, at, separator) : plain(text, at, separator);
    row.push(cell.text);
    at = cell.end;
    if (text[at] === separator) {
      at += 1;
      if (at < text.length) continue;
      row.push("");
    }
    if (at >= text.length && isPart) return rows;
    if (text[at] === "\r" && text[at + 1] === "\n") at += 1;
    at += 1;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return rows;
}

type Cell = { text: string; end: number };

function plain(text: string, from: number, separator: string): Cell {
  let end = from;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") {
    end += 1;
  }
  return { text: text.slice(from, end), end };
}

/** A cell in quotes; two of them are one. What follows the closing one belongs to the cell too. */
function quoted(text: string, from: number, separator: string): Cell {
  let at = from + 1;
  let inside = "";
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return { text: inside + text.slice(at), end: text.length };
    inside += text.slice(at, quote);
    if (text[quote + 1] !== '"') {
      const rest = plain(text, quote + 1, separator);
      return { text: inside + rest.text, end: rest.end };
    }
    inside += '"';
    at = quote + 2;
  }
}
