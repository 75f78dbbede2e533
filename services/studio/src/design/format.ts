/** Numbers, times and sizes as people read them; pure. */

const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const COUNT = new Intl.NumberFormat("en");
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** A metric's value with five digits that count: 0.0012346, 1.2346e-7, 12,346, NaN. */
export function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e7)) return exponent(value);
  return NUMBER.format(value).replace("-", "−");
}

function exponent(value: number): string {
  const [digits = "", power = ""] = value.toExponential(4).split("e");
  return `${String(Number(digits))}e${power.replace("+", "")}`.replaceAll("-", "−");
}

/** How many: 12,345. */
export function formatCount(count: number): string {
  return COUNT.format(count);
}

/** A length of time in its two largest units: 3 d 4 h, 12 min 5 s, 850 ms. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return twoUnits(Math.floor(seconds));
}

const UNITS: readonly [name: string, seconds: number][] = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
];

function twoUnits(seconds: number): string {
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  const parts: string[] = [];
  for (const [name, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(" ");
}

/** How long ago: just now, 5 min ago, 3 h ago, 2 d ago, then the day. */
export function formatAgo(then: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - then.getTime()) / 1_000);
  if (seconds < 45) return "just now";
  if (seconds < 7 * 86_400) {
    const [name, size] = UNITS.find(([, unit]) => seconds >= unit && unit > 1) ?? ["min", 60];
    return `${Math.max(1, Math.floor(seconds / size))} ${name} ago`;
  }
  return DAY.format(then);
}

/** A moment in full, in the reader's own time zone. */
export function formatMoment(moment: Date): string {
  return MOMENT.format(moment);
}

/** A size: 512 B, 4.2 kB, 1.3 GB. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1_000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const size = bytes / 1_000 ** power;
  const digits = power === 0 || size >= 100 ? 0 : 1;
  return `${size.toFixed(digits)} ${["B", "kB", "MB", "GB", "TB"][power] ?? ""}`;
}
