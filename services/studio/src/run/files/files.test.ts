import { describe, expect, it } from "vitest";
import { parseCsv, separatorOf } from "./csv";
import { highlight } from "./highlight";
import { parseInline } from "./inline";
import { isBinary, kindOf, languageOf } from "./kind";
import { parseMarkdown } from "./markdown";
import { plainLines } from "./tokens";
import { foldersOf, rowsOf, treeMove, treeOf } from "./tree";

describe("a tree of paths", () => {
  const tree = treeOf(["b.txt", "a/z10.py", "a/z2.py", "a/deep/er/x", "top"].map((p) => [p, p]));

  it("has folders before files, in natural order", () => {
    expect(rowsOf(tree, new Set()).map(({ path, level }) => `${level} ${path}`)).toEqual([
      "1 a",
      "2 a/deep",
      "3 a/deep/er",
      "4 a/deep/er/x",
      "2 a/z2.py",
      "2 a/z10.py",
      "1 b.txt",
      "1 top",
    ]);
    expect(foldersOf(tree)).toEqual(["a", "a/deep", "a/deep/er"]);
  });

  it("leaves out what is closed", () => {
    expect(rowsOf(tree, new Set(["a"])).map(({ path }) => path)).toEqual(["a", "b.txt", "top"]);
  });

  it("is walked with arrows", () => {
    const rows = rowsOf(tree, new Set(["a/deep"]));
    expect(treeMove(rows, null, "ArrowDown")).toEqual({ to: "a" });
    expect(treeMove(rows, "a", "ArrowRight")).toEqual({ to: "a/deep" });
    expect(treeMove(rows, "a/deep", "ArrowRight")).toEqual({ toggle: "a/deep" });
    expect(treeMove(rows, "a/z2.py", "ArrowLeft")).toEqual({ to: "a" });
    expect(treeMove(rows, "a", "ArrowLeft")).toEqual({ toggle: "a" });
    expect(treeMove(rows, "top", "ArrowDown")).toEqual({ to: "top" });
    expect(treeMove(rows, "a", "End")).toEqual({ to: "top" });
    expect(treeMove(rows, "a", "x")).toBeNull();
    expect(treeMove([], null, "ArrowDown")).toBeNull();
  });
});

describe("what a file is looked at as", () => {
  it.each([
    ["plots/a.PNG", "", "image"],
    ["a.svg", "image/svg+xml", "text"],
    ["index.html", "text/html", "text"],
    ["t.tsv", "", "csv"],
    ["m.json", "", "json"],
    ["README.md", "", "markdown"],
    ["model.npz", "application/octet-stream", "none"],
    ["LICENSE", "", "text"],
  ])("%s", (name, type, kind) => {
    expect(kindOf(name, type)).toBe(kind);
  });

  it("is not text with a NUL in it", () => {
    expect(isBinary(new TextEncoder().encode("text"))).toBe(false);
    expect(isBinary(new Uint8Array([65, 0]))).toBe(true);
  });
});

describe("tables in text", () => {
  it("have quotes, line breaks in them, and any separator", () => {
    expect(parseCsv('a,b\r\n"x, ""y""\nz",2\n\n3,\n', ",", 10)).toEqual({
      header: ["a", "b"],
      rows: [
        ['x, "y"\nz', "2"],
        ["3", ""],
      ],
    });
    expect(parseCsv("a;b\n1;2", separatorOf("a;b\n1;2"), 10).rows).toEqual([["1", "2"]]);
    expect(separatorOf("x", "t.tsv")).toBe("\t");
    expect(separatorOf('"a;b;c",d')).toBe(",");
  });

  it("leave out the row that was cut, and what is too much", () => {
    expect(parseCsv("a,b\n1,2\n3,", ",", 10, true).rows).toEqual([["1", "2"]]);
    expect(parseCsv("a\n1\n2\n3", ",", 2).rows).toEqual([["1"], ["2"]]);
    expect(parseCsv("", ",", 2)).toEqual({ header: [], rows: [] });
  });
});

describe("Markdown", () => {
  it("has blocks", () => {
    const blocks = parseMarkdown(
      "# T\n\npara\nmore\n\n- a\n  - b\n- [x] c\n\n> q\n\n---\n```py\nx < 1\n```\n| a | b |\n|---|:-:|\n| 1 | 2 |",
    );
    expect(blocks.map(({ kind }) => kind)).toEqual(
      ["heading", "paragraph", "list", "quote", "rule", "code", "table"], // prettier-ignore
    );
    expect(blocks[2]).toMatchObject({
      items: [{ blocks: [{ kind: "paragraph" }, { kind: "list" }] }, { checked: true }],
    });
    expect(blocks[5]).toEqual({ kind: "code", language: "py", text: "x < 1" });
    expect(blocks[6]).toMatchObject({ header: ["a", "b"], rows: [["1", "2"]] });
  });

  it("keeps what is HTML as text, and links only to the web", () => {
    expect(parseInline("<img src=x onerror=alert(1)>")).toEqual([
      { kind: "text", text: "<img src=x onerror=alert(1)>" },
    ]);
    expect(parseInline("[x](javascript:alert(1))")).toEqual([
      { kind: "text", text: "[x](javascript:alert(1))" },
    ]);
    expect(parseInline("[x](https://h/a_(b))")).toEqual([
      { kind: "link", address: "https://h/a_(b)", inside: [{ kind: "text", text: "x" }] },
    ]);
  });

  it("has emphasis and code within lines", () => {
    expect(parseInline("a **b *c*** `d*` snake_case_name \\*").map(({ kind }) => kind)).toEqual(
      ["text", "strong", "text", "code", "text", "text"], // prettier-ignore
    );
  });

  it.each([
    "*".repeat(20_000),
    "> ".repeat(5_000),
    "[".repeat(20_000),
    "`".repeat(20_000),
    "- ".repeat(5_000),
    "_a ".repeat(9_000),
  ])("ends soon, whatever it is given", (text) => {
    const begin = performance.now();
    for (const block of parseMarkdown(text))
      if (block.kind === "paragraph") parseInline(block.text);
    expect(performance.now() - begin).toBeLessThan(2_000);
  });
});

describe("highlighted code", () => {
  const text = 'def f(x):  # why\n    """two\n    lines"""\n    return 1 < x\n';

  it("is the same text in the same lines", () => {
    for (const language of ["python", "yaml", "json", "bash", "ini", "markdown"]) {
      const lines = highlight(text, language).map((line) =>
        line.map((token) => token.text).join(""),
      );
      expect(lines).toEqual(text.split("\n"));
    }
    expect(plainLines(text).map((line) => line.map((token) => token.text).join(""))).toEqual(
      text.split("\n"),
    );
  });

  it("says what its words are", () => {
    const [first, second, third] = highlight(text, "python");
    expect(first?.[0]).toEqual({ text: "def", kind: "keyword" });
    expect(first?.at(-1)?.kind).toBe("comment");
    expect(second?.at(-1)?.kind).toBe("string");
    expect(third?.[0]?.kind).toBe("string");
  });

  it("knows languages by names", () => {
    expect(languageOf("a/pyproject.toml")).toBe("ini");
    expect(languageOf("Makefile")).toBe("makefile");
    expect(languageOf("x.unknown")).toBeNull();
  });
});
