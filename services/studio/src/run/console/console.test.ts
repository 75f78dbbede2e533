import { describe, expect, it } from "vitest";
import { lastWritten, marked, parseAnsi, PLAIN, withoutAnsi } from "./ansi";
import { CarriedStyles } from "./carried";
import { type Line, LineStore, PAGE } from "./line_store";

const ESC = "\u001b";

describe("a line with colours", () => {
  it("becomes pieces of one style each", () => {
    const { pieces } = parseAnsi(`a${ESC}[1;31mred${ESC}[0m b${ESC}[92;44mx`);
    expect(pieces.map(({ text }) => text)).toEqual(["a", "red", " b", "x"]);
    expect(pieces[1]?.style).toMatchObject({ colour: 1, bold: true });
    expect(pieces[2]?.style).toMatchObject({ colour: null, bold: false });
    expect(pieces[3]?.style).toMatchObject({ colour: 10, behind: 4 });
  });

  it("has colours of 256 and exact ones", () => {
    const {
      pieces: [one, two, three],
    } = parseAnsi(`${ESC}[38;5;196ma${ESC}[48;2;1;2;300mb${ESC}[38;5;9mc`);
    expect(one?.style.colour).toBe("#ff0000");
    expect(two?.style.behind).toBe("#0102ff");
    expect(three?.style.colour).toBe(9);
  });

  it("loses what only a terminal understands", () => {
    const line = `${ESC}[2K${ESC}]0;title\u0007x${ESC}]8;;http://h${ESC}\\y${ESC}[?25l${ESC}(Bz\u0000`;
    expect(withoutAnsi(line)).toBe("xyz");
    expect(parseAnsi(line).pieces.map(({ text }) => text)).toEqual(["x", "y", "z"]);
  });

  it("stays text, whatever it looks like", () => {
    expect(withoutAnsi("<img src=x onerror=alert(1)>")).toBe("<img src=x onerror=alert(1)>");
    expect(withoutAnsi(`${ESC}[999999;x`)).toBe("");
    expect(parseAnsi("").pieces).toEqual([]);
  });

  it("shows what was written last behind a carriage return", () => {
    expect(lastWritten("10%\r20%\r30%\r")).toBe("30%");
    expect(lastWritten("plain")).toBe("plain");
    const { pieces } = parseAnsi(`10%\r${ESC}[32m20%\r30%${ESC}[0m\r`);
    expect(pieces).toMatchObject([{ text: "30%", style: { colour: 2 } }]);
  });

  it("is marked where something is found, across styles and in any case", () => {
    const cut = marked(parseAnsi(`an Er${ESC}[31mror here`).pieces, "error");
    expect(cut.map(({ text, found }) => [text, found])).toEqual([
      ["an ", false],
      ["Er", true],
      ["ror", true],
      [" here", false],
    ]);
    expect(marked(parseAnsi("abc").pieces, "")).toHaveLength(1);
  });
});

describe("the style in which a line begins", () => {
  const styles = (...lines: [stream: string, attempt: number, line: string][]): CarriedStyles =>
    new CarriedStyles({
      at: (place) => {
        const [stream = "", attempt = 0, line = ""] = lines[place - 1] ?? [];
        return stream ? { number: place, place, attempt, stream, time: "", line } : undefined;
      },
    });
  const red = `${ESC}[31mred`;

  it("is the one in which the line before it ended, in its stream and attempt alone", () => {
    const carried = styles(
      ["stdout", 1, red],
      ["stderr", 1, "plain"],
      ["stdout", 1, "red still"],
      ["stdout", 1, `until here${ESC}[m`],
      ["stdout", 1, `${ESC}[1mbold`],
      ["stdout", 2, "anew"],
    );
    const colours = [1, 2, 3, 4, 5, 6].map((place) => carried.before(place).colour);
    expect(colours).toEqual([null, null, 1, 1, null, null]);
    expect(carried.before(6).bold).toBe(false);
    expect(carried.before(7)).toBe(PLAIN);
  });

  it("changes when lines before it are loaded", () => {
    const here = new LineStore();
    const carried = new CarriedStyles(here);
    const line = (place: number, text: string): Line => ({ number: place, place, attempt: 1, stream: "stdout", time: "", line: text }); // prettier-ignore
    here.load({ total: 3, admitted: 3, cursor: "9-0", lines: [line(2, "a"), line(3, "b")] }, true);
    expect(carried.before(3)).toBe(PLAIN);
    here.load({ total: 3, admitted: 3, cursor: null, lines: [line(1, red)] }, false);
    carried.forget();
    expect(carried.before(3).colour).toBe(1);
  });
});

describe("the lines that are here", () => {
  const page = (from: number, count: number, total: number, cursor: string | null = null) => ({
    total,
    admitted: total,
    cursor,
    lines: Array.from({ length: count }, (_, i): Line => {
      const [number, line] = [from + i, `line ${from + i}`];
      return { number, place: number, attempt: 1, stream: "stdout", time: "", line };
    }),
  });
  const batch = (offset: number, ...lines: string[]) => ({
    run_id: "r",
    attempt: 1,
    streams: lines.map(() => "stderr"),
    times: lines.map(() => 0),
    lines,
    offset,
    watermark: `run.logs/0/${offset}`,
  });

  it("go on with what is pushed, and take no batch twice", () => {
    const store = new LineStore();
    store.load(page(1, 3, 3, "41-0"), true);
    expect(store.append(batch(41, "again"))).toEqual([]);
    expect(store.append(batch(42, "four", "five")).map(({ number }) => number)).toEqual([4, 5]);
    expect(store.append(batch(42, "four", "five"))).toEqual([]);
    expect(store.total).toBe(5);
    expect(store.at(5)?.line).toBe("five");
  });

  it("say which page to load for what is looked at", () => {
    const store = new LineStore();
    store.load(page(9_501, 500, 10_000, "9-0"), true);
    expect(store.missing(9_600, 9_700)).toBeNull();
    expect(store.missing(9_490, 9_600)).toBe(9_001);
    expect(store.missing(-5, 10)).toBe(1);
    expect(store.missing(10_001, 10_050)).toBeNull();
  });

  it("are let go when they are many and far", () => {
    const store = new LineStore();
    for (let from = 1; from < 30_000; from += PAGE) store.load(page(from, PAGE, 1_000_000), false);
    store.forget(29_000);
    expect(store.size).toBeLessThan(12_000);
    expect(store.at(29_000)?.line).toBe("line 29000");
    expect(store.at(100)).toBeUndefined();
  });

  it("begin with a page of none", () => {
    const store = new LineStore();
    store.load({ total: 0, admitted: 0, lines: [], cursor: null }, true);
    expect(store.append(batch(0, "first"))).toHaveLength(1);
  });

  it("are those of one stream, and keep their numbers", () => {
    const store = new LineStore();
    store.clear({ stream: "stderr", attempt: null });
    store.load({ total: 5, admitted: 0, lines: [], cursor: null }, true);
    const lines = { ...batch(7, "out", "wrong"), streams: ["stdout", "stderr"] };
    expect(store.append(lines)).toMatchObject([{ number: 7, place: 1, line: "wrong" }]);
    expect(store.append({ ...batch(8, "more"), streams: ["stdout"] })).toEqual([]);
    expect(store.append(batch(9, "worse"))).toMatchObject([{ number: 9, place: 2 }]);
    store.clear({ stream: null, attempt: 2 });
    expect(store.append(batch(10, "of the first attempt"))).toEqual([]);
  });
});
