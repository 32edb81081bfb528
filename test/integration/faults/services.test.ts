import { createHash, hash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createS3Store } from '../../../adapters/aws/s3-store.ts';
import type { Service } from '../../../core/batch/service.ts';
import { LEASE_MS, TICKET_OVERDUE_MS } from '../../../core/model/limits.ts';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';
import type { Delivery } from '../../../core/ports/tickets.ts';
import { createWire, S3_INTERNAL_ERROR, SLOW_DOWN, type Fault } from '../../helpers/aws-wire.ts';
import { startAws } from '../../helpers/aws.ts';
import { createBatchRig, type BatchRigOptions } from '../../helpers/batch-rig.ts';
import { type StoreCall } from '../../helpers/memory-store.ts';
import { file, redirect, status } from '../../helpers/origin-answers.ts';
import { forEachDeath } from '../../unit/batch/service.ts';
import { expectOutcome, play } from './play.ts';

const MIB = 1024 ** 2;

describe('object store: S3', () => {
  const answer = (code: string, httpStatus: number): Fault => ({
    status: httpStatus,
    body: `<Error><Code>${code}</Code><Message>x</Message></Error>`,
  });

  test.each<[string, Fault, string[], number]>([
    ['503 SlowDown', SLOW_DOWN, ['PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'], 1],
    ['500', S3_INTERNAL_ERROR, ['PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'], 1],
    ['409', answer('ConditionalRequestConflict', 409), ['PutObject', 'CompleteMultipartUpload'], 2],
    ['412', answer('PreconditionFailed', 412), ['PutObject', 'CompleteMultipartUpload'], 2],
    ['reset mid-upload', 'lose request', ['UploadPart'], 1],
    ['answer lost', 'lose answer', ['PutObject', 'UploadPart', 'CompleteMultipartUpload'], 1],
    ['a part lost', answer('InvalidPart', 400), ['CompleteMultipartUpload'], 2],
    ['200 with an error body at completion', answer('InternalError', 200), ['CompleteMultipartUpload'], 1],
  ])('%s: the file is stored after all, and no upload left', async (_, fault, commands, attempts) => {
    const aws = await startAws();
    const bodies = { '/small': randomBytes(1000), '/large': randomBytes(9 * MIB) };
    const wire = createWire();
    const clients = wire.attach(aws.createClients());
    const struck = new Set<string>();
    wire.fault = ({ command }) => {
      if (!commands.includes(command) || struck.has(command)) return undefined;
      struck.add(command);
      return fault;
    };
    const s3 = createS3Store({
      client: clients.s3,
      puts: clients.puts,
      bucket: aws.config.filesBucket,
      prefix: 'files/',
    });
    const close = () => {
      for (const client of [clients.s3, aws.clients.s3, aws.clients.sqs, aws.clients.dynamo]) client.destroy();
    };
    const rig = await createBatchRig({ files: { ...s3, close } });
    const paths = Object.entries(bodies).filter(([path]) => path === '/large' || commands.includes('PutObject'));
    const origin = await rig.startOrigin(Object.fromEntries(paths.map(([path, body]) => [path, file(body)])));
    const { outcomes } = await rig.run(paths.map(([path]) => origin.url(path)));
    for (const [i, [, body]] of paths.entries()) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      expect(outcomes[i]).toMatchObject({ state: 'done', bytes: body.length, sha256, attempts });
    }
    expect([...struck].sort()).toEqual(commands.toSorted());
    const landed = (...names: string[]) =>
      wire.calls.filter(({ command, attempts }) => names.includes(command) && attempts.some((one) => one.landed))
        .length;
    expect(landed('CompleteMultipartUpload', 'AbortMultipartUpload')).toBe(landed('CreateMultipartUpload'));
  });
});

describe('object store', () => {
  test.each<[string, StoreCall]>([
    ['a PUT', 'put'],
    ['beginning an upload', 'createUpload'],
    ['a part', 'putPart'],
    ['completing an upload', 'completeUpload'],
  ])('%s that never succeeds: retried, then failed, nothing stored', async (_, call) => {
    const body = call === 'put' ? 'hello' : Buffer.alloc(9 * MIB);
    const store = () => ({
      before: (name: StoreCall) => {
        if (name === call) throw new ObjectStoreError('UNAVAILABLE', 'slow down');
      },
    });
    const played = await play(file(body), {}, { store });
    expectOutcome(played, { code: 'STORE_FAILED', attempts: 6 });
    expect(played.rig.store.calls[call]).toBeGreaterThanOrEqual(6);
  });

  test('a key that it cannot keep: failed at once', async () => {
    const store = () => ({
      before: () => {
        throw new ObjectStoreError('KEY_CONFLICT', 'a folder is there');
      },
    });
    expectOutcome(await play(file('hello'), {}, { store }), { code: 'KEY_CONFLICT', attempts: 1 });
  });
});

/** A batch in which there is something to lose: files, one of them large, a redirect, a missing one. */
async function runMixed(
  faulty: BatchRigOptions['faulty'],
  { largeBytes = 9 * MIB, ...settings }: { largeBytes?: number; connectionsPerHost?: number } = {},
) {
  const rig = await createBatchRig({ ...(faulty && { faulty }) });
  const large = Buffer.alloc(largeBytes, 'large');
  const origin = await rig.startOrigin({
    '/a': file('a'),
    '/b': redirect('/a'),
    '/c': status(404),
    '/large': file(large),
  });
  const paths = ['/a', '/b', '/c', '/large'];
  const { outcomes, status: end } = await rig.run(
    paths.map((path) => origin.url(path)),
    settings,
  );
  expect(outcomes.map(({ index, state }) => `${index} ${state}`)).toEqual(['1 done', '2 done', '3 failed', '4 done']);
  expect(end).toMatchObject({ total: 4, done: 3, failed: 1, bytes: 2 + large.length, failures: { NOT_FOUND: 1 } });
  expect(rig.stored(outcomes[3])?.equals(large)).toBe(true);
  return { rig, origin };
}

type Method = (...parameters: unknown[]) => Promise<unknown>;

/** A port, each of whose calls goes through `call`. */
function through<T extends object>(port: T, call: (effect: () => Promise<unknown>) => Promise<unknown>): T {
  return new Proxy(port, {
    get: (target, property, receiver) => {
      const method: unknown = Reflect.get(target, property, receiver);
      if (typeof method !== 'function') return method;
      return async (...parameters: unknown[]) => call(async () => Reflect.apply(method as Method, target, parameters));
    },
  });
}

describe('ledger', () => {
  /** Whether the n-th call has bad luck, one in five; the same at every run of a seed. */
  const unlucky = (seed: number) => {
    let calls = 0;
    return () => hash('sha256', `${seed} ${calls++}`, 'buffer').readUInt8() < 51;
  };

  test.each([1, 2, 3, 4])('throttling: one in five calls is refused (seed %i)', async (seed) => {
    const isRefused = unlucky(seed);
    await runMixed(({ ledger }, to) => ({
      ledger: through(ledger, (effect) => {
        if (to === 'worker' && isRefused()) throw new Error('too fast');
        return effect();
      }),
    }));
  });

  test.each([1, 2, 3, 4])('an answer lost after the write: of one in five calls (seed %i)', async (seed) => {
    const isLost = unlucky(seed);
    await runMixed(({ ledger }, to) => ({
      ledger: through(ledger, async (effect) => {
        const answer = await effect();
        if (to === 'worker' && isLost()) throw new Error('no answer');
        return answer;
      }),
    }));
  });

  test('a condition that fails: somebody else has changed the record, and the turn gives its shard up', async () => {
    let interfered = 0;
    await runMixed(({ ledger }) => ({
      ledger: {
        ...ledger,
        replaceShard: async (next) => {
          const stored = await ledger.getShard(next.batchId, next.shard);
          if (stored?.owner !== undefined && interfered++ < 3) {
            await ledger.replaceShard({ ...stored, rev: stored.rev + 1, epoch: stored.epoch + 1 });
          }
          return ledger.replaceShard(next);
        },
      },
    }));
    expect(interfered).toBeGreaterThan(3);
  });
});

describe('queue', () => {
  /** Workers get what `change` makes of what was delivered. */
  const delivering =
    (change: (deliveries: Delivery[]) => Delivery[]) =>
    ({ tickets }: Service) => ({
      tickets: { ...tickets, receive: async (n: number, ms: number) => change(await tickets.receive(n, ms)) },
    });

  test('a duplicate ticket: two deliveries at once are one turn', async () => {
    const { origin } = await runMixed(delivering((all) => [...all, ...all]));
    expect(origin.requests.map(({ path }) => path).sort()).toEqual(['/a', '/a', '/b', '/c', '/large']);
  });

  test('a duplicate ticket of its own: the spare is acknowledged', async () => {
    const { origin } = await runMixed(({ tickets }) => ({
      tickets: { ...tickets, send: (all) => tickets.send([...all, ...all]) },
    }));
    expect(origin.requests).toHaveLength(5);
  });

  test('a late ticket: it finds the batch closed, and goes', async () => {
    const { rig } = await runMixed(undefined);
    const [batch] = await rig.service.ledger.listBatches({ limit: 1 });
    await rig.service.tickets.send([{ batchId: batch?.id ?? '', shard: 0 }]);
    await rig.deliver();
    expect(await rig.service.tickets.receive(10, 1)).toEqual([]);
    await rig.clock.advance(24 * 60 * 60 * 1000);
    expect(await rig.service.tickets.hasVisible()).toBe(false);
  });

  test('none at all: the sweeper misses it', async () => {
    let lost = 0;
    const { rig } = await runMixed(({ tickets }) => ({
      tickets: { ...tickets, send: (all) => (lost++ === 0 ? Promise.resolve() : tickets.send(all)) },
    }));
    expect(rig.clock.now() - rig.startedAt).toBeGreaterThanOrEqual(TICKET_OVERDUE_MS);
  });

  test('a partly failed batch send: the tickets that are missing come later', async () => {
    let failed = false;
    const { origin } = await runMixed(
      ({ tickets }) => ({
        tickets: {
          ...tickets,
          send: async (all) => {
            await tickets.send(failed ? all : all.slice(1));
            if (failed) return;
            failed = true;
            throw new Error('1 of 2 tickets were not taken');
          },
        },
      }),
      { connectionsPerHost: 8 },
    );
    expect(origin.requests).toHaveLength(5);
  });
});

describe('worker', () => {
  test('killed at any instant: the next one ends its work, each entry once', async () => {
    let deaths = 0;
    await forEachDeath(async (die) => {
      let doomed: ReturnType<typeof die> | undefined;
      // The first worker dies, the later ones live.
      const { rig } = await runMixed(
        (service, to) => {
          if (to !== 'worker') return {};
          doomed ??= die(service);
          return doomed.died ? {} : doomed.service;
        },
        { largeBytes: 1000, connectionsPerHost: 4 },
      );
      if (doomed?.died !== true) return;
      deaths += 1;
      expect(rig.clock.now() - rig.startedAt).toBeLessThanOrEqual(TICKET_OVERDUE_MS + LEASE_MS);
    });
    expect(deaths).toBeGreaterThan(20);
  });
});
