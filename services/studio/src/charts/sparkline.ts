/** A curve in a few pixels; pure. */

/** The path of a line in a box of `width` × `height`, with `edge` left free around it; "": nothing. */
export function sparkline(
  xs: readonly number[],
  ys: readonly number[],
  width: number,
  height: number,
  edge = 2,
): string {
  if (xs.length === 0) return "";
  const place = (values: readonly number[], size: number): ((value: number) => number) => {
    const [from, to] = [Math.min(...values), Math.max(...values)];
    const span = to - from;
    return (value) => edge + (span === 0 ? 0.5 : (value - from) / span) * (size - 2 * edge);
  };
  const [x, y] = [place(xs, width), place(ys, height)];
  const points = xs.map((at, i) => `${x(at).toFixed(1)} ${(height - y(ys[i] ?? 0)).toFixed(1)}`);
  return points.length === 1 ? `M${points[0] ?? ""}h0.01` : `M${points.join("L")}`;
}
