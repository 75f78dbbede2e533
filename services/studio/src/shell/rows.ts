/** Up and down through the rows of a list, by the keyboard. */

/** Focus the row behind the one that has it (or the first, or the last); rows carry `data-row`. */
export function moveFocus(list: HTMLElement | undefined, by: 1 | -1): void {
  const rows = [...(list?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
  const now = rows.findIndex((row) => row === document.activeElement);
  const next = now < 0 ? (by === 1 ? 0 : rows.length - 1) : now + by;
  rows[Math.min(rows.length - 1, Math.max(0, next))]?.focus();
}
