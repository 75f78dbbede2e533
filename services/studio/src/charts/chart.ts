/** What a chart does with its lines, apart from the drawing of them; pure. */

import { formatValue } from "../design/format";
import type { Curve } from "./curves";
import type { DrawnLine } from "./plot";
import { readAt, type Reading } from "./readout";
import type { Range } from "./ranges";
import { type Along, nearest, type Shape, smooth } from "./shape";

/** One curve with its name and its colour; `origin` (µs): where its elapsed time begins. */
export type ChartLine = { id: string; name: string; index: number; curve: Curve; origin?: number };

/** What a line says at the crosshair, or at its end; `isOver`: others go on there, and it has ended. */
export type ReadLine = { line: ChartLine; reading: Reading | null; isOver: boolean };

/** How many of the server's units (steps, µs) are one of the chart's (steps, seconds). */
export function unitOf(along: Along): number {
  return along === "step" ? 1 : 1e6;
}

/** The lines to draw, the one that stands out last, so that it lies on top. */
export function drawnLines(
  lines: readonly ChartLine[],
  shapes: readonly Shape[],
  smoothing: number,
  highlighted: string | null,
): DrawnLine[] {
  const isOneStrong = lines.some(({ id }) => id === highlighted);
  const drawn = lines.flatMap((line, i): DrawnLine[] => {
    const shape = shapes[i];
    if (!shape) return [];
    const smoothed = smoothing > 0 ? smooth(shape.y, smoothing) : null;
    const weight = line.id === highlighted ? "strong" : isOneStrong ? "faint" : "plain";
    return [{ index: line.index, shape, smoothed, weight }];
  });
  const isStrong = ({ weight }: DrawnLine): number => Number(weight === "strong");
  return drawn.sort((one, other) => isStrong(one) - isStrong(other));
}

/** All that is drawn of a line and has to be within the axes. */
export function outlines({ shape, smoothed }: DrawnLine): Shape[] {
  return smoothed ? [shape, { ...shape, y: smoothed, low: null, high: null }] : [shape];
}

export function readLines(
  lines: readonly ChartLine[],
  shapes: readonly Shape[],
  x: number,
): ReadLine[] {
  const lastOf = (shape: Shape | undefined): number => shape?.x.at(-1) ?? -Infinity;
  const furthest = Math.max(...shapes.map(lastOf));
  return lines.map((line, i) => {
    const shape = shapes[i];
    const reading = shape ? readAt(line.curve, shape, x) : null;
    const isOver = Number.isFinite(x) && lastOf(shape) < Math.min(x, furthest);
    return { line, reading, isOver };
  });
}

/** "step 1,200: 0.25", or each line's name with its value; for a screen reader. */
export function spoken(lines: readonly ReadLine[], words: string): string {
  const values = lines.map(({ line, reading, isOver }) => {
    const value = !reading ? "no value" : isOver ? "has ended" : formatValue(reading.value);
    return lines.length === 1 ? value : `${line.name} ${value}`;
  });
  return `${words || "last"}: ${values.join(", ")}`;
}

export type KeyAction =
  | { kind: "point"; x: number }
  | { kind: "zoom"; centre: number; factor: number }
  | { kind: "reset" };

const STEPS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -20,
  PageUp: 20,
};

/** What a key means for the crosshair at `x` (null: it is away) over rows at `xs`; null: nothing. */
export function keyAction(
  key: string,
  xs: Float64Array,
  x: number | null,
  seen: Range,
): KeyAction | null {
  const centre = x ?? (seen.from + seen.to) / 2;
  if (key === "+" || key === "=") return { kind: "zoom", centre, factor: 0.5 };
  if (key === "-") return { kind: "zoom", centre, factor: 2 };
  if (key === "0" || key === "Escape") return { kind: "reset" };
  const rows = { first: nearest(xs, seen.from), last: nearest(xs, seen.to) };
  const row = key === "Home" ? rows.first : key === "End" ? rows.last : stepped(key, xs, x, rows);
  const place = row === null ? undefined : xs[row];
  return place === undefined ? null : { kind: "point", x: place };
}

function stepped(
  key: string,
  xs: Float64Array,
  x: number | null,
  rows: { first: number; last: number },
): number | null {
  const by = STEPS[key];
  if (by === undefined) return null;
  const row = x === null ? rows.last - Math.min(by, 0) : nearest(xs, x);
  return Math.min(rows.last, Math.max(rows.first, row + by));
}
