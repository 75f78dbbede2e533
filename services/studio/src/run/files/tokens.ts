/** A piece of code and what it is; the tokens' colours stand in tokens.css. */

export type TokenKind = "keyword" | "string" | "number" | "comment" | "name";
export type Token = { text: string; kind: TokenKind | null };

/** More than this is shown as it is: to find the words in it would hold up the page. */
export const MAX_HIGHLIGHTED = 400_000;

/** The lines of a text without colours. */
export function plainLines(text: string): Token[][] {
  return text.split("\n").map((line) => (line === "" ? [] : [{ text: line, kind: null }]));
}
