/**
 * Code in its colours, as pieces of lines. lowlight (highlight.js as a tree, not as HTML) finds the
 * words; it is loaded when the first code is looked at.
 */

import { createLowlight } from "lowlight";
import bash from "highlight.js/lib/languages/bash";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import ini from "highlight.js/lib/languages/ini";
import json from "highlight.js/lib/languages/json";
import makefile from "highlight.js/lib/languages/makefile";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import yaml from "highlight.js/lib/languages/yaml";
import type { Token, TokenKind } from "./tokens";

const lowlight = createLowlight({ bash, dockerfile, ini, json, makefile, markdown, python, yaml });

type Root = ReturnType<typeof lowlight.highlight>;
type Node = Root["children"][number];

/** The lines of a text, each in pieces. */
export function highlight(text: string, language: string): Token[][] {
  return linesOf(lowlight.highlight(language, text));
}

function linesOf(root: Root): Token[][] {
  const lines: Token[][] = [[]];
  const walk = (node: Node, kind: TokenKind | null): void => {
    if (node.type === "element") {
      const classes = node.properties.className;
      const inner = Array.isArray(classes) ? kindOf(classes.map(String)) : null;
      for (const child of node.children) walk(child, inner ?? kind);
    } else if (node.type === "text") {
      for (const [i, text] of node.value.split("\n").entries()) {
        if (i > 0) lines.push([]);
        if (text !== "") lines.at(-1)?.push({ text, kind });
      }
    }
  };
  for (const child of root.children) walk(child, null);
  return lines;
}

const KINDS: Record<string, TokenKind> = {
  keyword: "keyword",
  literal: "keyword",
  "selector-tag": "keyword",
  string: "string",
  code: "string",
  number: "number",
  comment: "comment",
  quote: "comment",
  doctag: "comment",
  title: "name",
  section: "name",
  built_in: "name",
  type: "name",
  attr: "name",
  attribute: "name",
  meta: "number",
  variable: "number",
  symbol: "number",
  bullet: "number",
  link: "string",
  regexp: "string",
};

function kindOf(classes: readonly string[]): TokenKind | null {
  for (const name of classes) {
    const kind = KINDS[name.replace(/^hljs-/, "")];
    if (kind) return kind;
  }
  return null;
}
