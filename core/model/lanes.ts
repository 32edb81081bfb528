/**
 * Runs `effect` for each item, `atOnce` at a time. Waits for all that is under way before it throws the first error;
 * after an error it begins no more.
 */
export async function inLanes<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  effect: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failed = false;
  const lane = async () => {
    for (let next = await queue.next(); next.done !== true && !failed; next = await queue.next()) {
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
