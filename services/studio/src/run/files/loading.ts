/** Bytes of a file, or of its beginning. */

import { fetchRaw } from "../../api/client";

/** `isPart`: the file goes on behind these bytes. */
export type Beginning = { bytes: Uint8Array<ArrayBuffer>; isPart: boolean };

/** The first `most` bytes of a file of that size. An empty file has no ranges. */
export async function loadBeginning(
  address: string,
  size: number,
  most: number,
): Promise<Beginning> {
  const headers: Record<string, string> = size > most ? { Range: `bytes=0-${most - 1}` } : {};
  const answer = await fetchRaw(address, { headers });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { bytes: bytes.subarray(0, most), isPart: size > most };
}

/** The bytes as text; of a part, without the half of a letter at its end. */
export function textOf({ bytes, isPart }: Beginning): string {
  return new TextDecoder().decode(bytes, { stream: isPart });
}
