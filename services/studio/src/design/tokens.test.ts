/** The colours keep their promises: contrasts of WCAG 2.2 AA, and curves that everybody can tell apart. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

type Rgb = [number, number, number];

const CSS = readFileSync(new URL("./tokens.css", import.meta.url), "utf8");
const PAIR = /--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g;
const TOKENS = new Map([...CSS.matchAll(PAIR)].map(([, name, ...pair]) => [name, pair]));

const THEMES = ["light", "dark"] as const;

function colour(token: string, theme: (typeof THEMES)[number]): Rgb {
  const text = TOKENS.get(token)?.[theme === "light" ? 0 : 1];
  if (!text) throw new Error(`There is no token ${token}.`);
  return [1, 3, 5].map((at) => linear(parseInt(text.slice(at, at + 2), 16) / 255)) as Rgb;
}

const linear = (part: number): number =>
  part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;

function contrast(one: Rgb, other: Rgb): number {
  const light = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  const [low = 0, high = 0] = [light(one), light(other)].sort((a, b) => a - b);
  return high / low;
}

const SURFACES = [
  "surface",
  "surface-raised",
  "surface-sunken",
  "surface-hover",
  "surface-selected",
];
const TEXTS = ["ink", "ink-soft", "ink-faint", "accent", "good", "bad", "warning", "active"];
const CODE = ["code-keyword", "code-string", "code-number", "code-comment", "code-name"];
const ANSI = Array.from({ length: 16 }, (_, i) => `ansi-${i}`);
const TONES = ["waiting", "active", "good", "bad", "warning", "stopped"];
const CURVES = Array.from({ length: 8 }, (_, i) => `chart-${i + 1}`);

describe.each(THEMES)("in the %s theme", (theme) => {
  const apart = (one: string, other: string): number =>
    contrast(colour(one, theme), colour(other, theme));

  it.each([...TEXTS, ...TONES])("text in %s is read on every surface", (text) => {
    for (const surface of SURFACES) expect(apart(text, surface), surface).toBeGreaterThan(4.5);
  });

  it.each([...CODE, ...ANSI])("code in %s is read", (text) => {
    for (const surface of ["surface-raised", "surface-sunken"]) {
      expect(apart(text, surface), surface).toBeGreaterThan(4.5);
    }
  });

  it.each(TONES)("the status %s is read on its own wash", (tone) => {
    expect(apart(tone, `${tone}-wash`)).toBeGreaterThan(4.5);
  });

  it("controls, focus and curves are seen", () => {
    expect(apart("on-accent", "accent")).toBeGreaterThan(4.5);
    expect(apart("on-accent", "accent-strong")).toBeGreaterThan(4.5);
    expect(apart("ink", "mark")).toBeGreaterThan(4.5);
    for (const line of ["line-strong", "focus", "chart-crosshair", ...CURVES]) {
      expect(apart(line, "surface-raised"), line).toBeGreaterThan(3);
    }
  });

  it.each(["all cones", "no red cones", "no green cones", "no blue cones"] as const)(
    "with %s no two of the eight curves look alike",
    (eyes) => {
      const seen = CURVES.map((name) => lab(seenBy(eyes, colour(name, theme))));
      for (const [i, one] of seen.entries()) {
        for (const [j, other] of seen.slice(0, i).entries()) {
          const distance = Math.hypot(...one.map((part, k) => part - (other[k] ?? 0)));
          expect(distance, `chart-${i + 1} and chart-${j + 1}`).toBeGreaterThan(0.1);
        }
      }
    },
  );
});

/** What eyes without one kind of cones see of linear light (Machado and others, 2009). */
const PROJECTIONS = {
  "all cones": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  "no red cones": [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  "no green cones": [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  "no blue cones": [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function seenBy(eyes: keyof typeof PROJECTIONS, rgb: Rgb): Rgb {
  return multiply(PROJECTIONS[eyes], rgb).map((part) => Math.min(1, Math.max(0, part))) as Rgb;
}

/** OKLab: equal distances look about equally large; 0.02 is just seen. */
function lab(rgb: Rgb): number[] {
  const cones = multiply(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map(Math.cbrt);
  return multiply(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

function multiply(matrix: number[][], vector: readonly number[]): number[] {
  return matrix.map((row) => row.reduce((sum, part, i) => sum + part * (vector[i] ?? 0), 0));
}
