import { AsyncLocalStorage } from 'node:async_hooks';
import { vi } from 'vitest';
import type { Log } from '../../lambdas/log.ts';

/** A function's log that keeps what an operator should look at, a line of JSON each; what only tells how it went is dropped. */
export function createTestLog(): { log: Log; told: string[] } {
  const told: string[] = [];
  const ids = new AsyncLocalStorage<object>();
  const line = (level: string, message: string, details?: object) => {
    told.push(`${JSON.stringify({ level, message, ...ids.getStore(), ...details })}\n`);
  };
  const log: Log = {
    info: () => undefined,
    warn: (message, details) => line('WARN', message, details),
    error: (message, error, details) => {
      line('ERROR', message, { ...details, error: error instanceof Error ? error.stack : String(error) });
    },
    within: (more, work) => ids.run({ ...ids.getStore(), ...more }, work),
  };
  return { log, told };
}

/** Everything that this process writes while `work` goes on: what would be in a function's log. */
export async function outputOf(work: () => unknown): Promise<string> {
  let output = '';
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      output += String(chunk);
      return true;
    }),
  );
  try {
    await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return output;
}

/** A line's fields without what the embedded metric format says of them. */
export function fieldsOf(line: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(line).filter(([name]) => name !== '_aws'));
}

/** The lines of an output, each a JSON object. */
export function linesOf(output: string): Record<string, unknown>[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
