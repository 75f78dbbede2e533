/** The colours of curves, from the tokens, as a canvas needs them. */

const COLOURS = 8;
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3]];

/** The token of the n-th curve (from 0), for CSS. */
export function chartColour(index: number): string {
  return `var(--chart-${(index % COLOURS) + 1})`;
}

/** The dashes of the n-th curve: past eight, colours come again with another line. */
export function chartDash(index: number): readonly number[] {
  return DASHES[Math.floor(index / COLOURS) % DASHES.length] ?? [];
}

/** What a chart paints with, in the theme that is seen now. */
export type Paint = {
  axis: string;
  grid: string;
  curve: (index: number) => string;
};

const paints = new Map<boolean, Paint>();

/** The tokens in one theme, read once. A canvas does not know `var()` or `light-dark()`. */
export function paintOf(isDark: boolean): Paint {
  const paint = paints.get(isDark) ?? readPaint();
  paints.set(isDark, paint);
  return paint;
}

function readPaint(): Paint {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const resolve = (colour: string): string => {
    probe.style.color = colour;
    return getComputedStyle(probe).color;
  };
  const curves = Array.from({ length: COLOURS }, (_, index) => resolve(chartColour(index)));
  const paint = {
    axis: resolve("var(--chart-axis)"),
    grid: resolve("var(--chart-grid)"),
    curve: (index: number) => curves[index % COLOURS] ?? "",
  };
  probe.remove();
  return paint;
}
