import { fileName } from '../sources/content.ts';

/** The bucket that Downburst reads again, and the one where files are counted. */
export const STATE_BUCKET = 'state';
export const FILES_BUCKET = 'files';

/** What a contestant of the benchmark `s3` is to do: so many files of `source`, into the bucket at `endpoint`. */
export interface Job {
  source: string;
  endpoint: string;
  count: number;
  /** Of each file. */
  bytes: number;
  /** Files at once, or parts of one. */
  connections: number;
  /** The size of parts; a file is not split if left out. */
  partBytes?: number | undefined;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** The job that a process was started with: its first parameter, as JSON. */
export function jobOf([, , text = '']: readonly string[]): Job {
  return JSON.parse(text) as Job;
}

export function urlOf({ source }: Pick<Job, 'source'>, file: number): string {
  return `${source}/${fileName(file)}`;
}

/** Calls `run` for 0 to `count - 1`, so many at once. Errors: the first one. */
export async function inLanes(count: number, lanes: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
