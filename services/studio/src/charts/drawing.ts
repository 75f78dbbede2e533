/** Lines, bands and marks onto a canvas; where things lie is said by `Plane`. */

import { firstFrom, type Mark, type Shape } from "./shape";

/** A value's place in canvas pixels; NaN where the axis has none (log of 0). */
export type Plane = {
  x: (value: number) => number;
  y: (value: number) => number;
  left: number;
  top: number;
  width: number;
  height: number;
  /** device pixels for a CSS pixel */
  ratio: number;
};

export type Pen = { colour: string; dash: readonly number[]; width: number; faint: boolean };

/** Rows from `begin` to before `end` that are seen, one more on both sides. */
export function seenRows(shape: Shape, from: number, to: number): [begin: number, end: number] {
  const begin = Math.max(0, firstFrom(shape.x, from) - 1);
  let end = firstFrom(shape.x, to);
  while (end < shape.x.length && (shape.x[end] ?? 0) <= to) end += 1;
  return [begin, Math.min(shape.x.length, end + 1)];
}

/**
 * The line through `ys`. It is broken where a value is missing: at a mark (NaN), and where the
 * axis has no place for a value. A point alone between two breaks is a dot.
 */
export function drawLine(
  context: CanvasRenderingContext2D,
  plane: Plane,
  shape: Shape,
  ys: Float64Array,
  rows: readonly [number, number],
  pen: Pen,
): void {
  const path = new Path2D();
  const dots = new Path2D();
  let joined = 0;
  let mark = 0;
  let [lastX, lastY] = [NaN, NaN];
  const endPiece = (): void => {
    if (joined === 1)
      dots.rect(lastX - plane.ratio, lastY - plane.ratio, 2 * plane.ratio, 2 * plane.ratio);
    joined = 0;
  };
  for (let row = rows[0]; row < rows[1]; row += 1) {
    const at = shape.x[row] ?? NaN;
    const [x, y] = [plane.x(at), plane.y(ys[row] ?? NaN)];
    for (; (shape.marks[mark]?.x ?? Infinity) < at; mark += 1) endPiece();
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      endPiece();
      continue;
    }
    if (joined === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
    joined += 1;
    [lastX, lastY] = [x, y];
  }
  endPiece();
  context.globalAlpha = pen.faint ? 0.28 : 1;
  context.strokeStyle = context.fillStyle = pen.colour;
  context.lineWidth = pen.width * plane.ratio;
  context.lineJoin = "round";
  context.setLineDash(pen.dash.map((length) => length * plane.ratio));
  context.stroke(path);
  context.fill(dots);
  context.globalAlpha = 1;
}

/** The true points, as dots: where there are few enough to tell them apart. */
export function drawPoints(
  context: CanvasRenderingContext2D,
  plane: Plane,
  shape: Shape,
  rows: readonly [number, number],
  colour: string,
): void {
  const path = new Path2D();
  for (let row = rows[0]; row < rows[1]; row += 1) {
    const [x, y] = [plane.x(shape.x[row] ?? NaN), plane.y(shape.y[row] ?? NaN)];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    path.moveTo(x + 2.2 * plane.ratio, y);
    path.arc(x, y, 2.2 * plane.ratio, 0, 2 * Math.PI);
  }
  context.fillStyle = colour;
  context.fill(path);
}

/** From the lowest to the highest value of every bucket. */
export function drawBand(
  context: CanvasRenderingContext2D,
  plane: Plane,
  shape: Shape,
  rows: readonly [number, number],
  colour: string,
): void {
  const { low, high } = shape;
  if (!low || !high) return;
  const bottom = plane.top + plane.height;
  const path = new Path2D();
  const place = (value: number): number => {
    const y = plane.y(value);
    return Number.isFinite(y) ? y : bottom;
  };
  for (let row = rows[0]; row < rows[1]; row += 1) {
    const x = plane.x(shape.x[row] ?? NaN);
    if (Number.isFinite(x)) path.lineTo(x, place(high[row] ?? NaN));
  }
  for (let row = rows[1] - 1; row >= rows[0]; row -= 1) {
    const x = plane.x(shape.x[row] ?? NaN);
    if (Number.isFinite(x)) path.lineTo(x, place(low[row] ?? NaN));
  }
  path.closePath();
  context.globalAlpha = 0.2;
  context.fillStyle = colour;
  context.fill(path);
  context.globalAlpha = 1;
}

/** NaN as a cross at the bottom, infinities as arrows at the edge where they would be. */
export function drawMarks(
  context: CanvasRenderingContext2D,
  plane: Plane,
  marks: readonly Mark[],
  colour: string,
): void {
  const path = new Path2D();
  const size = 3.5 * plane.ratio;
  for (const { x: at, value } of marks) {
    const x = plane.x(at);
    if (x < plane.left || x > plane.left + plane.width || !Number.isFinite(x)) continue;
    const up = value === "Infinity";
    const y = up ? plane.top + 2 * size : plane.top + plane.height - 2 * size;
    if (value === "NaN") {
      path.moveTo(x - size, y - size);
      path.lineTo(x + size, y + size);
      path.moveTo(x - size, y + size);
      path.lineTo(x + size, y - size);
    } else {
      const tip = up ? -size : size;
      path.moveTo(x - size, y);
      path.lineTo(x, y + tip);
      path.lineTo(x + size, y);
    }
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.8 * plane.ratio;
  context.setLineDash([]);
  context.stroke(path);
}
