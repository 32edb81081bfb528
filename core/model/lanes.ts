/**
 * Runs `effect` for each item, `atOnce` at a time. Waits for all that is under way before it throws the first error;
 * after an error it begins no more.
 */
export async function inLanes<T>(
  items: Iterable<T>,
  atOnce: number,
  effect: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = Iterator.from(items);
  let failed = false;
  const lane = async () => {
    for (let next = queue.next(); next.done !== true && !failed; next = queue.next()) {
      try {
        await effect(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
}
