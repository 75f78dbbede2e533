/** Ids that the page makes itself, so that a retry is the same wish. They need no secure context. */

/** A run's id: UUIDv7 as 32 hex digits, so that ids are in the order of their making. */
export function newRunId(now: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return hex(bytes);
}

/** A command's id: keep it for every retry of the same wish. */
export function newCommandId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Whether a text can be a run's id. */
export function isRunId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
