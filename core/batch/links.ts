import { isStoredByUs } from '../download/object-headers.ts';
import { inLanes } from '../model/lanes.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ReadableFiles } from '../ports/file-links.ts';

/** Objects that are looked at together. */
const CONCURRENCY = 16;

/** An outcome with a link to its file. */
export interface LinkedOutcome extends Outcome {
  link?: string | undefined;
}

/**
 * Adds a link to each outcome that has a file: to a `done` one without a look at the store, to a `skipped` one only if
 * the object's metadata says that Downburst stored it. What else lies in a user's bucket is handed out to nobody.
 *
 * @param prefix what the batch puts before every key
 */
export async function linkOutcomes(
  files: ReadableFiles,
  prefix: string,
  outcomes: readonly Outcome[],
): Promise<LinkedOutcome[]> {
  const linked: LinkedOutcome[] = [...outcomes];
  await inLanes(outcomes.entries(), CONCURRENCY, async ([i, outcome]) => {
    const key = prefix + outcome.key;
    if (await mayLink(files, key, outcome.state)) linked[i] = { ...outcome, link: await files.link(key) };
  });
  return linked;
}

async function mayLink(files: ReadableFiles, key: string, state: Outcome['state']): Promise<boolean> {
  if (state !== 'skipped') return state === 'done';
  const object = await files.head(key);
  return object !== undefined && isStoredByUs(object);
}
