/** The words at an axis; pure. */

import { formatCount, formatMoment, formatValue } from "../design/format";
import type { Along } from "./shape";

const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 5 });

/** Steps: 500, 1.5K, 2M. */
export function stepTick(step: number): string {
  return SHORT.format(step);
}

/** Values of y; an axis of few decades leaves some ticks without words (null). */
export function valueTick(value: number | null): string {
  return value === null ? "" : formatValue(value);
}

const HOURS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const SECONDS_TOO = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** Moments `by` seconds apart: the time of day, with the date below where a day begins. */
export function timeTicks(ticks: readonly number[], by: number): string[] {
  let day = "";
  return ticks.map((seconds) => {
    const moment = new Date(seconds * 1_000);
    const date = DATE.format(moment);
    const isNew = date !== day;
    day = date;
    if (by >= 86_400) return date;
    const time = (by < 60 ? SECONDS_TOO : HOURS).format(moment);
    return isNew ? `${time}\n${date}` : time;
  });
}

/** Seconds since a beginning: 0, 30 s, 5 min, 1:30 h, 2 d. */
export function elapsedTick(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0";
  if (size < 60) return `${Number(seconds.toPrecision(3))} s`;
  if (size < 3_600) return clock(seconds, 60, "min");
  if (size < 172_800) return clock(seconds, 3_600, "h");
  return `${Number((seconds / 86_400).toFixed(1))} d`;
}

function clock(seconds: number, unit: number, name: string): string {
  const rest = Math.round((seconds % unit) / (unit / 60));
  const whole = Math.floor(seconds / unit);
  return rest === 0 ? `${whole} ${name}` : `${whole}:${String(rest).padStart(2, "0")} ${name}`;
}

const SECONDS = [1, 2, 5, 10, 15, 30];
/** Distances between ticks of elapsed time that people like to read. */
export const ELAPSED_STEPS: number[] = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  ...SECONDS,
  ...SECONDS.map((n) => n * 60),
  ...[1, 2, 3, 6, 12].map((n) => n * 3_600),
  ...[1, 2, 5, 10, 20, 50].map((n) => n * 86_400),
];

/** A place on x in full: "step 1,200", the moment, or the time since the beginning. */
export function placeWords(along: Along, x: number): string {
  if (along === "step") return `step ${formatCount(Math.round(x))}`;
  return along === "time" ? formatMoment(new Date(x * 1_000)) : elapsedTick(x);
}
