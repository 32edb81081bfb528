import { randomUUID } from 'node:crypto';
import { CHECKS, type Check } from './checks.ts';
import type { Send } from './connection.ts';
import { createService } from './service.ts';

export interface SmokeOptions {
  api: string;
  send: Send;
  /** Files that stay as they are, at least one. */
  urls: readonly string[];
  print: (line: string) => void;
  /** All if left out. */
  checks?: readonly Check[];
}

/** What answers is no Downburst, or cannot be asked. */
export class NotDownburstError extends Error {
  constructor(reason: string) {
    super(`Nothing was checked or started, since this is no Downburst that can be asked: ${reason}`);
    this.name = 'NotDownburstError';
  }
}

/**
 * Checks what is promised, one after the other, on a service that works, prints a line for each, and removes its batches.
 *
 * @returns whether all of it holds
 * @throws NotDownburstError before anything is started
 */
export async function smoke({ api, send, urls, print, checks = CHECKS }: SmokeOptions): Promise<boolean> {
  await recognise(send);
  const service = createService(send);
  const prefix = `smoke/${randomUUID()}/`;
  let failures = 0;
  const line = (ok: boolean, name: string, detail: string | undefined, from: number) => {
    if (!ok) failures += 1;
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    print(`${ok ? 'ok    ' : 'FAILED'} ${seconds.padStart(6)} s  ${name}${detail === undefined ? '' : `: ${detail}`}`);
  };
  const check = async (name: string, run: () => Promise<string | undefined>) => {
    const from = performance.now();
    try {
      line(true, name, await run(), from);
    } catch (error) {
      line(false, name, error instanceof Error ? error.message : String(error), from);
    }
  };

  for (const { name, run } of checks) await check(name, () => run({ service, api, urls, prefix }));
  await check('all batches of this run are removed', () => service.cleanUp().then(() => undefined));
  print(
    `\nFiles stay where they are: below ${prefix}, and below the ids of batches. Remove them if you want them gone.`,
  );
  return failures === 0;
}

/** By the API's own description, which nobody else answers. */
async function recognise(send: Send): Promise<void> {
  const answer = await send('GET', '/openapi.json').catch((error: unknown) => {
    // Of a connection that failed the cause says more.
    const { message, cause } = error as Error;
    throw new NotDownburstError(error instanceof TypeError && cause instanceof Error ? cause.message : message);
  });
  const text = await answer.text();
  if (answer.status === 403) throw new NotDownburstError(`GET /openapi.json answers 403: ${text.slice(0, 200)}`);
  let title: unknown;
  try {
    title = (JSON.parse(text) as { info?: { title?: unknown } }).info?.title;
  } catch {
    // Said below.
  }
  if (title !== 'Downburst')
    throw new NotDownburstError(`GET /openapi.json answers ${answer.status} and no description of Downburst's API.`);
}
