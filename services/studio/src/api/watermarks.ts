/** Places in the log that a read shall have seen: "topic/partition/offset"; pure. */

/** Both together: of each topic's partition the furthest place. */
export function mergeWatermarks(known: readonly string[], more: readonly string[]): string[] {
  const furthest = new Map<string, bigint>();
  for (const watermark of [...known, ...more]) {
    const slash = watermark.lastIndexOf("/");
    const place = watermark.slice(0, slash);
    const offset = BigInt(watermark.slice(slash + 1));
    const before = furthest.get(place);
    if (before === undefined || offset > before) furthest.set(place, offset);
  }
  return Array.from(furthest, ([place, offset]) => `${place}/${offset.toString()}`);
}
