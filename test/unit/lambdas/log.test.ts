import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLog, type FunctionLog } from '../../../lambdas/log.ts';
import { invocation } from '../../helpers/lambda-events.ts';
import { linesOf, outputOf } from '../../helpers/log.ts';

/** What comes of it when a function logs. */
function logged(work: (log: FunctionLog) => unknown): Promise<string> {
  return outputOf(() => work(createLog('Downburst')));
}

describe("a function's log", () => {
  it('has one line of JSON per event, with its details and the invocation that it is of', async () => {
    vi.stubEnv('AWS_LAMBDA_INITIALIZATION_TYPE', 'on-demand');
    onTestFinished(() => void vi.unstubAllEnvs());
    const first = invocation(1000);
    const second = invocation(1000);
    const output = await logged((log) => {
      log.begin(first);
      log.info('batch closed', { batchId: 'b', done: 7 });
      log.begin(second);
      log.warn('a\nb');
    });
    const common = { service: 'Downburst', function_name: first.functionName, timestamp: expect.any(String) as string };
    expect(linesOf(output)).toEqual([
      expect.objectContaining({
        ...common,
        level: 'INFO',
        message: 'batch closed',
        batchId: 'b',
        done: 7,
        function_request_id: first.awsRequestId,
        cold_start: true,
      }),
      expect.objectContaining({
        ...common,
        level: 'WARN',
        message: 'a\nb',
        function_request_id: second.awsRequestId,
        cold_start: false,
      }),
    ]);
  });

  it('names what the work is for that a line comes from, whatever else is under way', async () => {
    const output = await logged(async (log) => {
      const turn = (shard: number) =>
        log.within({ shard }, async () => {
          await setImmediate();
          log.within({ messageId: `m-${shard}` }, () => log.info('here'));
          log.warn('there');
        });
      await Promise.all([turn(1), turn(2)]);
      log.info('over');
    });
    const ids = linesOf(output).map(({ message, shard, messageId }) => [message, shard, messageId]);
    expect(ids.sort()).toEqual([
      ['here', 1, 'm-1'],
      ['here', 2, 'm-2'],
      ['over', undefined, undefined],
      ['there', 1, undefined],
      ['there', 2, undefined],
    ]);
  });

  it('tells an error with its stack and what caused it', async () => {
    const error = new Error('S3 failed', { cause: new TypeError('socket hang up') });
    const [line] = linesOf(await logged((log) => log.error('a turn failed', error, { shard: 3 })));
    expect(line).toMatchObject({ level: 'ERROR', message: 'a turn failed', shard: 3 });
    expect(line?.error).toMatch(/^Error: S3 failed\n +at [^]+\ncaused by TypeError: socket hang up\n +at /);
  });

  it("holds nothing of what clients hang on their errors: a request's headers, for one", async () => {
    const request = { headers: { authorization: 's3cr3t' } };
    const cause = Object.assign(new Error('why'), { request });
    const error = Object.assign(new Error('no'), { request, cause });
    const output = await logged((log) => {
      log.error('failed', error);
      log.warn('failed', { reason: error, also: [{ error }] });
    });
    expect(linesOf(output)).toHaveLength(2);
    expect(output.match(/caused by Error: why/g)).toHaveLength(3);
    expect(output).not.toContain('s3cr3t');
  });

  it('bears what is no error', async () => {
    expect(linesOf(await logged((log) => log.error('failed', 'just so')))).toMatchObject([{ error: 'just so' }]);
  });

  it('has the lines of a level and those above it', async () => {
    vi.stubEnv('POWERTOOLS_LOG_LEVEL', 'WARN');
    onTestFinished(() => void vi.unstubAllEnvs());
    const output = await logged((log) => {
      log.info('unheard');
      log.warn('heard');
    });
    expect(linesOf(output)).toMatchObject([{ message: 'heard' }]);
  });
});
