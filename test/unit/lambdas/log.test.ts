import { describe, expect, it } from 'vitest';
import { createLog } from '../../../lambdas/log.ts';

function createLogged() {
  let written = '';
  const log = createLog({ write: (text) => (written += text) }, () => Date.UTC(2030, 0, 1));
  return { log, lines: () => written.split('\n').slice(0, -1), written: () => written };
}

describe("a function's log", () => {
  it('has one line of JSON per event, with its details', () => {
    const { log, written } = createLogged();
    log.info('batch closed', { batchId: 'b', done: 7 });
    log.warn('a\nb', {});
    expect(written()).toBe(
      '{"timestamp":"2030-01-01T00:00:00.000Z","level":"INFO","message":"batch closed","batchId":"b","done":7}\n' +
        '{"timestamp":"2030-01-01T00:00:00.000Z","level":"WARN","message":"a\\nb"}\n',
    );
  });

  it('tells an error with its stack and what caused it', () => {
    const { log, lines } = createLogged();
    log.error('a turn failed', new Error('S3 failed', { cause: new TypeError('socket hang up') }), { shard: 3 });
    const [line] = lines().map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(line).toMatchObject({ level: 'ERROR', message: 'a turn failed', shard: 3 });
    expect(line?.error).toMatch(/^Error: S3 failed\n +at [^]+\ncaused by TypeError: socket hang up\n +at /);
  });

  it("holds nothing of what clients hang on their errors: a request's headers, for one", () => {
    const { log, written } = createLogged();
    const request = { headers: { authorization: 's3cr3t' } };
    log.error(
      'failed',
      Object.assign(new Error('no'), { request, cause: Object.assign(new Error('why'), { request }) }),
    );
    expect(written()).toContain('caused by Error: why');
    expect(written()).not.toContain('s3cr3t');
  });

  it('bears what is no error', () => {
    const { log, lines } = createLogged();
    log.error('failed', 'just so');
    expect(lines()).toEqual([expect.stringContaining('"error":"just so"')]);
  });
});
