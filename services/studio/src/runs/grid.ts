/** How the table of runs is laid out, and what its keys mean; pure. */

import { type Column, widthOf } from "./columns";

/** Below this width (px) a run takes two lines: its status and age stand below its name. */
export const NARROW = 640;
const IN_NARROW_NAME: readonly string[] = ["status", "created"];

export type Layout = {
  columns: readonly Column[];
  isNarrow: boolean;
  /** `grid-template-columns` of the head and of every row */
  template: string;
  /** the table's least width, in rem: beyond its window it scrolls sideways */
  width: number;
  /** how wide the boxes before the names are, the names at least, and each column, in rem */
  box: number;
  name: number;
  widths: readonly number[];
};

export function layoutOf(columns: readonly Column[], windowWidth: number): Layout {
  const isNarrow = windowWidth < NARROW;
  const shown = isNarrow ? columns.filter(({ id }) => !IN_NARROW_NAME.includes(id)) : columns;
  const box = isNarrow ? 2.75 : 2.5;
  const name = isNarrow ? 12.5 : 13;
  // Beside the name there is room for one column on a telephone.
  const widths = shown.map((column) => Math.min(widthOf(column), isNarrow ? 7.5 : Infinity));
  const template = [
    `${box}rem`,
    `minmax(${name}rem, ${isNarrow ? 20 : 24}rem)`,
    ...widths.map((width) => `${width}rem`),
    "minmax(0, 1fr)",
  ].join(" ");
  const width = widths.reduce((sum, one) => sum + one, box + name);
  return { columns: shown, isNarrow, template, width, box, name, widths };
}

/** Pixels are not divided for so little (rem). */
const HAIR = 0.05;

/**
 * How much of a column is seen that the window's right edge cuts, in rem; null: nothing lies beyond it.
 *
 * @param edge - where it is, from the table's left, in rem
 */
export function cutBy({ width, widths }: Layout, edge: number): number | null {
  if (edge > width - HAIR) return null;
  let begin = width;
  for (const one of [...widths].reverse()) {
    begin -= one;
    if (edge > begin + HAIR) return edge > begin + one - HAIR ? 0 : edge - begin;
  }
  return 0;
}

/** Where a key takes the row that has the focus; null: the key does something else. */
export function rowAfter(
  key: string,
  row: number,
  table: { total: number; rowsInView: number },
): number | null {
  const last = table.total - 1;
  const jump = Math.max(1, table.rowsInView - 1);
  const target: Record<string, number> = {
    ArrowDown: row + 1,
    ArrowUp: row - 1,
    PageDown: row + jump,
    PageUp: row - jump,
    Home: 0,
    End: last,
  };
  const wanted = Object.hasOwn(target, key) ? target[key] : undefined;
  return wanted === undefined ? null : Math.max(0, Math.min(last, wanted));
}
