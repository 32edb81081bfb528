import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { watchClientSockets } from '../../helpers/client-sockets.ts';
import { createDownloadRig, jobFor } from '../../helpers/download.ts';
import { file, raw, silence, stall } from '../../helpers/origin-answers.ts';
import { startOrigin, type Visit } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';

const MIB = 1024 ** 2;

// Each shorter than the one before, so that a test sees on the clock which of them stands.
const timeouts = { connectMs: 10_000, headersMs: 8000, idleMs: 5000 };

const failed = (code: string, fields: object = {}) =>
  expect.objectContaining({ name: 'DownloadError', code, ...fields }) as unknown;

describe('time limits', () => {
  test.each([
    ['says nothing', silence],
    ['sends headers that do not end', raw('HTTP/1.1 200 OK\r\nX: 1\r\n')],
    ['sends no end of interim responses', raw('HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000))],
  ])('a source that %s fails when the time for headers is over', async (_, answer) => {
    const origin = await startOrigin({ '/a': answer });
    const rig = createDownloadRig();
    const download = rig.download(jobFor(origin.url('/a'), { options: { timeouts } }));
    const end = expect(download).rejects.toEqual(failed('HEADERS_TIMEOUT'));
    await until(() => rig.clock.nextDue() === rig.clock.now() + timeouts.headersMs);
    await rig.clock.advance(timeouts.headersMs - 1);
    expect(rig.clock.pending()).toBe(1);
    await rig.clock.advance(1);
    await end;
    expect(rig.clock.pending()).toBe(0);
    await until(() => origin.openConnections === 0);
  });

  test('headers that drip do not move the limit on', async () => {
    const visited = Promise.withResolvers<Visit>();
    const origin = await startOrigin({ '/a': (visit) => visited.resolve(visit) });
    const sockets = watchClientSockets();
    const rig = createDownloadRig();
    const download = rig.download(jobFor(origin.url('/a'), { options: { timeouts } }));
    const end = expect(download).rejects.toEqual(failed('HEADERS_TIMEOUT'));
    const { socket } = await visited.promise;
    const text = 'HTTP/1.1 200 OK';
    for (let second = 0; second < 8; second++) {
      socket.write(text.charAt(second));
      await until(() => sockets[0]?.bytesRead === second + 1);
      await rig.clock.advance(1000);
    }
    await end;
  });

  test.each([
    ['declared', stall('hello', 100)],
    ['chunked', stall('hello', 'chunked')],
    ['undeclared', stall('hello', 'close')],
    ['large', stall(Buffer.alloc(12 * MIB), 20 * MIB)],
  ])('a %s body that stops for good fails when no byte came for too long', async (_, answer) => {
    const origin = await startOrigin({ '/a': answer });
    const rig = createDownloadRig();
    const download = rig.download(jobFor(origin.url('/a'), { options: { timeouts } }));
    const end = expect(download).rejects.toEqual(failed('IDLE_TIMEOUT', { httpStatus: 200 }));
    await until(() => rig.clock.nextDue() === rig.clock.now() + timeouts.idleMs);
    await rig.clock.advance(timeouts.idleMs);
    await end;
    expect(rig.clock.pending()).toBe(0);
    expect(rig.budget.reservedBytes).toBe(0);
    expect(rig.store.openUploads).toBe(0);
    expect(rig.store.objects.size).toBe(0);
    await until(() => origin.openConnections === 0);
  });

  /** A download of a body that comes piece by piece, as the test says. */
  async function startDrip(options: object) {
    const visited = Promise.withResolvers<Visit>();
    const origin = await startOrigin({ '/a': (visit) => visited.resolve(visit) });
    const sockets = watchClientSockets();
    const rig = createDownloadRig();
    const download = rig.download(jobFor(origin.url('/a'), { options }));
    const { response } = await visited.promise;
    response.writeHead(200, { 'content-length': 1_000_000 });
    const send = async (bytes: number) => {
      const before = sockets[0]?.bytesRead ?? NaN;
      response.write(Buffer.alloc(bytes));
      await until(() => (sockets[0]?.bytesRead ?? 0) >= before + bytes);
      await setImmediate(); // read, and now also seen
    };
    return { rig, download, response, send };
  }

  test('a body below the lowest speed fails, although bytes keep coming', async () => {
    const { rig, download, send } = await startDrip({ lowSpeed: { bytesPerSecond: 10, seconds: 60 } });
    const end = expect(download).rejects.toEqual(failed('TOO_SLOW', { httpStatus: 200 }));
    await send(100);
    for (let i = 0; i < 3; i++) {
      await rig.clock.advance(20_000);
      await send(100);
    }
    await end;
    expect(rig.clock.pending()).toBe(0);
  });

  test('a body at the lowest speed goes on; its pauses may be as long as no byte may be missing', async () => {
    const { rig, download, response, send } = await startDrip({ lowSpeed: { bytesPerSecond: 10, seconds: 60 } });
    for (let i = 0; i < 12; i++) {
      await rig.clock.advance(20_000);
      await send(200);
    }
    await rig.clock.advance(20_000);
    response.end(Buffer.alloc(1_000_000 - 12 * 200));
    expect(await download).toMatchObject({ state: 'done', bytes: 1_000_000 });
  });

  test('the time that the object store takes is not held against the source', async () => {
    const gate = Promise.withResolvers<undefined>();
    const origin = await startOrigin({ '/a': file(Buffer.alloc(30 * MIB)) });
    const rig = createDownloadRig({
      budgetBytes: 16 * MIB,
      store: { before: (call) => (call === 'putPart' ? gate.promise : undefined) },
    });
    const download = rig.download(jobFor(origin.url('/a'), { options: { timeouts } }));
    await until(() => rig.budget.waiting === 1); // two parts wait for the store, and what is read next for room
    await rig.clock.advance(24 * 60 * 60 * 1000);
    gate.resolve(undefined);
    expect(await download).toMatchObject({ state: 'done', bytes: 30 * MIB });
  });
});
