/**
 * The one place that knows uPlot. It gives axes, scales, the crosshair and the drag; the curves are
 * drawn by us onto its canvas, each along its own x, so that twenty runs with other steps need no
 * common table.
 */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { drawBand, drawLine, drawMarks, drawPoints, type Plane, seenRows } from "./drawing";
import { chartDash, type Paint } from "./palette";
import type { Range } from "./ranges";
import type { Along, Shape } from "./shape";
import { ELAPSED_STEPS, elapsedTick, stepTick, timeTicks, valueTick } from "./ticks";

/** A curve as it is drawn; `smoothed` lies over the true line, which is faint then. */
export type DrawnLine = {
  index: number;
  shape: Shape;
  smoothed: Float64Array | null;
  /** against the others: one that stands out makes the rest faint */
  weight: "strong" | "plain" | "faint";
};

/** All that the picture depends on. */
export type Picture = {
  lines: readonly DrawnLine[];
  seen: Range;
  values: Range;
  along: Along;
  logX: boolean;
  logY: boolean;
  paint: Paint;
};

export type PlotEvents = {
  /** The crosshair is at `x`, `left` CSS pixels from the plot's edge; null: it is away. */
  onCursor: (x: number | null, left: number, isOwn: boolean) => void;
  onSelect: (range: Range) => void;
  onReset: () => void;
};

/** Points closer than this many CSS pixels are no dots, but a line. */
const DOT_DISTANCE = 9;

export class Plot {
  #picture: Picture;
  readonly #plot: uPlot;
  #kind = "";

  constructor(
    element: HTMLElement,
    picture: Picture,
    size: { width: number; height: number },
    sync: string | null,
    events: PlotEvents,
  ) {
    this.#picture = picture;
    this.#kind = kindOf(picture);
    this.#plot = new uPlot(this.#options(size, sync, events), NO_DATA, element);
  }

  /** The area inside the axes, in CSS pixels from the element's left edge. */
  get area(): { left: number; width: number } {
    const ratio = uPlot.pxRatio;
    return { left: this.#plot.bbox.left / ratio, width: this.#plot.bbox.width / ratio };
  }

  /** Draw another picture; false: its axes are of another kind, so a new plot is needed. */
  show(picture: Picture): boolean {
    this.#picture = picture;
    const kind = kindOf(picture);
    if (kind !== this.#kind) return false;
    this.#plot.setData(NO_DATA, true);
    return true;
  }

  resize(width: number, height: number): void {
    this.#plot.setSize({ width, height });
  }

  /** Put the crosshair to an x; null: take it away. */
  point(x: number | null): void {
    const left = x === null ? -10 : this.#plot.valToPos(x, "x");
    this.#plot.setCursor({ left, top: x === null ? -10 : this.#plot.over.clientHeight / 2 });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #options(
    size: { width: number; height: number },
    sync: string | null,
    events: PlotEvents,
  ): uPlot.Options {
    const { along, logX, logY } = this.#picture;
    return {
      ...size,
      legend: { show: false },
      padding: [10, 12, 0, 0],
      scales: {
        x: {
          time: along === "time",
          distr: logX ? LOGARITHMIC : LINEAR,
          range: () => pair(this.#picture.seen),
        },
        y: { distr: logY ? LOGARITHMIC : LINEAR, range: () => pair(this.#picture.values) },
      },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [this.#xAxis(), this.#yAxis()],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        bind: {
          dblclick: () => () => {
            events.onReset();
            return null;
          },
        },
        ...(sync === null ? {} : { sync: syncOf(sync) }),
      },
      hooks: {
        draw: [
          (plot) => {
            this.#draw(plot);
          },
        ],
        setCursor: [
          (plot) => {
            const left = plot.cursor.left ?? -1;
            const x = left < 0 ? null : plot.posToVal(left, "x");
            events.onCursor(x, left, plot.cursor.event !== undefined && isOver(plot));
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width < 4) return;
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            events.onSelect({
              from: plot.posToVal(left, "x"),
              to: plot.posToVal(left + width, "x"),
            });
          },
        ],
      },
    };
  }

  #xAxis(): uPlot.Axis {
    const { along } = this.#picture;
    const axis = { ...this.#axis(), size: along === "time" ? 42 : 30, space: 70 };
    if (along === "time")
      return { ...axis, values: (_, ticks, _axis, _space, by) => timeTicks(ticks, by) };
    const tick = along === "step" ? stepTick : elapsedTick;
    return {
      ...axis,
      values: (_, ticks) =>
        ticks.map((value: number | null) => (value === null ? "" : tick(value))),
      ...(along === "elapsed" ? { incrs: ELAPSED_STEPS } : {}),
    };
  }

  #yAxis(): uPlot.Axis {
    return {
      ...this.#axis(),
      space: 34,
      size: (_, words: string[] | null) =>
        18 + 6.6 * Math.max(3, ...(words ?? []).map((word) => word.length)),
      values: (_, ticks) => ticks.map(valueTick),
    };
  }

  #axis(): uPlot.Axis {
    return {
      stroke: () => this.#picture.paint.axis,
      font: "11px system-ui, sans-serif",
      gap: 6,
      grid: { stroke: () => this.#picture.paint.grid, width: 1 },
      ticks: { show: false },
    };
  }

  #draw(plot: uPlot): void {
    const { lines, seen, paint } = this.#picture;
    const plane = planeOf(plot);
    const context = plot.ctx;
    context.save();
    context.beginPath();
    context.rect(plane.left, plane.top, plane.width, plane.height);
    context.clip();
    for (const { index, shape } of lines) {
      drawBand(context, plane, shape, seenRows(shape, seen.from, seen.to), paint.curve(index));
    }
    for (const line of lines) this.#drawLine(context, plane, line);
    for (const { index, shape } of lines) {
      drawMarks(context, plane, shape.marks, paint.curve(index));
    }
    context.restore();
  }

  #drawLine(context: CanvasRenderingContext2D, plane: Plane, line: DrawnLine): void {
    const { seen, paint } = this.#picture;
    const { index, shape, smoothed, weight } = line;
    const rows = seenRows(shape, seen.from, seen.to);
    const colour = paint.curve(index);
    const width = weight === "strong" ? 2.4 : 1.5;
    const pen = { colour, dash: chartDash(index), width, faint: weight === "faint" };
    if (smoothed) {
      drawLine(context, plane, shape, shape.y, rows, { ...pen, width: 1, faint: true });
    }
    drawLine(context, plane, shape, smoothed ?? shape.y, rows, pen);
    const room = plane.width / plane.ratio / Math.max(1, rows[1] - rows[0]);
    if (!shape.low && !smoothed && room > DOT_DISTANCE) {
      drawPoints(context, plane, shape, rows, colour);
    }
  }
}

/** uPlot wants a table; ours is drawn beside it. */
const NO_DATA: uPlot.AlignedData = [
  [1, 2],
  [1, 2],
];

function kindOf({ along, logX, logY }: Picture): string {
  return `${along} ${String(logX)} ${String(logY)}`;
}

/** Charts of one key share where the crosshair is, and not what is dragged. */
function syncOf(key: string): uPlot.Cursor.Sync {
  const isShared = (type: string): boolean => type === "mousemove" || type === "mouseleave";
  return { key, setSeries: false, scales: ["x", null], filters: { pub: isShared } };
}

/** uPlot's own numbers for a linear and a logarithmic axis; its enum is one of types alone. */
const LINEAR = 1;
const LOGARITHMIC = 3;

function pair({ from, to }: Range): [number, number] {
  return [from, to];
}

function isOver(plot: uPlot): boolean {
  return plot.over.matches(":hover");
}

function planeOf(plot: uPlot): Plane {
  const { left, top, width, height } = plot.bbox;
  return {
    x: (value) => plot.valToPos(value, "x", true),
    y: (value) => plot.valToPos(value, "y", true),
    left,
    top,
    width,
    height,
    ratio: uPlot.pxRatio,
  };
}
