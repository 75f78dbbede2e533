/** Which rows of a long table are to be drawn, and where; pure. All lengths are pixels. */

/** Browsers cannot lay out what is much taller; beyond, one pixel of the scroll bar is more than one. */
export const TALLEST = 8_000_000;
/** Rows drawn above and below what is seen, so that a small scroll finds them there. */
const SPARE_ROWS = 8;

export type Geometry = {
  total: number;
  rowHeight: number;
  /** of what shows rows: without the head */
  viewHeight: number;
};

export type Drawn = {
  /** the rows [first, end) are drawn, the first of them at `top` */
  first: number;
  end: number;
  top: number;
  /** the rows [firstSeen, endSeen) are seen, at least a part of each */
  firstSeen: number;
  endSeen: number;
};

export function contentHeight({ total, rowHeight }: Geometry): number {
  return Math.min(total * rowHeight, TALLEST);
}

export function drawnAt(geometry: Geometry, scrollTop: number): Drawn {
  const { total, rowHeight, viewHeight } = geometry;
  if (rowHeight <= 0 || total <= 0) return { first: 0, end: 0, top: 0, firstSeen: 0, endSeen: 0 };
  const offset = Math.max(0, scrollTop) * scale(geometry);
  const firstSeen = Math.min(Math.floor(offset / rowHeight), total - 1);
  const endSeen = Math.min(total, Math.ceil((offset + viewHeight) / rowHeight));
  const first = Math.max(0, firstSeen - SPARE_ROWS);
  const end = Math.min(total, Math.max(endSeen, firstSeen + 1) + SPARE_ROWS);
  return {
    first,
    end,
    top: Math.max(0, scrollTop) - (offset - first * rowHeight),
    firstSeen,
    endSeen,
  };
}

/** How far to scroll so that a row is seen whole; stays where it is when it is already. */
export function scrollFor(geometry: Geometry, index: number, scrollTop: number): number {
  const { rowHeight, viewHeight } = geometry;
  const offset = scrollTop * scale(geometry);
  const [top, bottom] = [index * rowHeight, (index + 1) * rowHeight];
  if (top < offset) return top / scale(geometry);
  if (bottom > offset + viewHeight) return Math.max(0, bottom - viewHeight) / scale(geometry);
  return scrollTop;
}

/** Pixels of rows for one pixel of the scroll bar. */
function scale(geometry: Geometry): number {
  const { total, rowHeight, viewHeight } = geometry;
  const height = contentHeight(geometry);
  const whole = total * rowHeight;
  return whole <= height || height <= viewHeight ? 1 : (whole - viewHeight) / (height - viewHeight);
}
