/** Which events change the list of a run's children; pure. */

type Event = { type?: string; watermark?: string; data?: Record<string, unknown> };

/**
 * The watermark ("" where it has none) of an event that is about one of these children, or that may be a new one's birth;
 * null: it is about other runs.
 */
export function concerns(
  text: string,
  parent: string,
  known: readonly { run_id: string }[],
): string | null {
  const { type = "", watermark = "", data = {} } = JSON.parse(text) as Event;
  const isNew = type.startsWith("run.created") && (data.parent_run_id ?? parent) === parent;
  const isKnown = known.some(({ run_id }) => run_id === data.run_id);
  return isNew || isKnown ? watermark : null;
}
