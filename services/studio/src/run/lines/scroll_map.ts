/**
 * Scrolling through more rows than a browser can lay out: an element is at most some million pixels
 * high, so beyond that a scrolled pixel stands for more than one. Small moves still move by what the
 * reader scrolled; long ones (the scroll bar, Home, End) go to the same part of the whole. Pure.
 */

/** Chromium and Firefox lay out twice as much. */
export const MAX_HEIGHT = 8_000_000;

export type Extent = { rows: number; rowHeight: number; viewHeight: number };

/** `place`: pixels of all rows above the view's top; `top`: what the browser calls scrollTop. */
export type Scroll = { place: number; top: number };

/** The height of the element that is scrolled. */
export function laidOutHeight({ rows, rowHeight }: Extent): number {
  return Math.min(rows * rowHeight, MAX_HEIGHT);
}

function furthest(extent: Extent): { place: number; top: number } {
  const { rows, rowHeight, viewHeight } = extent;
  return {
    place: Math.max(0, rows * rowHeight - viewHeight),
    top: Math.max(0, laidOutHeight(extent) - viewHeight),
  };
}

/** Where the view is when the browser says that it scrolled to `top`. */
export function scrolledTo(before: Scroll, top: number, extent: Extent): Scroll {
  const most = furthest(extent);
  if (most.place <= most.top) return { place: Math.min(top, most.place), top };
  const by = top - before.top;
  const isLong = Math.abs(by) > extent.viewHeight || top <= 0 || top >= most.top;
  const place = isLong ? (top / most.top) * most.place : before.place + by;
  return { place: Math.min(most.place, Math.max(0, place)), top };
}

/** Where the browser has to scroll, so that `place` is at the top. */
export function scrollFor(place: number, extent: Extent): Scroll {
  const most = furthest(extent);
  const within = Math.min(most.place, Math.max(0, place));
  if (most.place <= most.top) return { place: within, top: within };
  return { place: within, top: (within / most.place) * most.top };
}

/** The rows to draw, some beyond the view on both sides, and where the first stands in the element. */
export function rowsInView(
  { place, top }: Scroll,
  { rows, rowHeight, viewHeight }: Extent,
  beyond = 8,
): { first: number; end: number; offset: number } {
  const first = Math.max(0, Math.floor(place / rowHeight) - beyond);
  const end = Math.min(rows, Math.ceil((place + viewHeight) / rowHeight) + beyond);
  return { first, end: Math.max(first, end), offset: top - place + first * rowHeight };
}
