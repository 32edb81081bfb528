/**
 * S3 is fauxqs here. It checks no checksum, so that those are looked at where they go on the wire; it lists no uploads,
 * so that those are counted there; and it forgets an upload that was completed, where S3 answers a repeated completion
 * for a while as it did the first.
 */
import { hash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import type { HttpRequest } from '@smithy/core/protocols';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createClients } from '../../adapters/aws/clients.ts';
import { checksumOf } from '../../adapters/aws/crc32.ts';
import { createS3Store } from '../../adapters/aws/s3-store.ts';
import { createWire, S3_INTERNAL_ERROR, SLOW_DOWN, type Fault, type WireCall } from '../helpers/aws-wire.ts';
import { startAws } from '../helpers/aws.ts';
import { describeObjectStore } from './object-store-contract.ts';

async function startStore(prefix = '') {
  const aws = await startAws();
  const wire = createWire();
  const { s3, puts } = wire.attach(aws.createClients());
  const bucket = aws.config.filesBucket;
  const store = createS3Store({ client: s3, puts, bucket, prefix });
  const keysInBucket = async () => {
    const { Contents = [] } = await aws.clients.s3.send(new ListObjectsV2Command({ Bucket: bucket }));
    return Contents.map(({ Key }) => Key);
  };
  return { ...aws, bucket, wire, store, keysInBucket };
}

function first(command: string, fault: Fault) {
  return (call: WireCall) => (call.command === command && call.attempts.length === 1 ? fault : undefined);
}

const PART_BYTES = 5 * 1024 ** 2;
const UNAVAILABLE = { name: 'ObjectStoreError', code: 'UNAVAILABLE' };

describeObjectStore('S3', async () => (await startStore()).store);

describe('keys', () => {
  test('the prefix stands before every key in the bucket, and before none that is given or taken', async () => {
    const { store, keysInBucket } = await startStore('team/files/');
    await store.put('a/1', Buffer.from('one'));
    const upload = await store.createUpload('a/2', { partBytes: PART_BYTES });
    const part = await store.putPart('a/2', upload, 1, Buffer.from('two'));
    await store.completeUpload('a/2', upload, [part]);
    await store.abortUpload('a/2', upload);
    expect(await keysInBucket()).toEqual(['team/files/a/1', 'team/files/a/2']);
    expect(await Array.fromAsync(store.list('a/'))).toEqual(['a/1', 'a/2']);
    expect((await store.get('a/2'))?.toString()).toBe('two');
    expect(await store.head('a/2')).toMatchObject({ bytes: 3 });
    await store.delete('a/1');
    expect(await keysInBucket()).toEqual(['team/files/a/2']);
  });

  test('a key that is too long with its prefix is refused by every call, and S3 is not asked', async () => {
    const { store, wire } = await startStore('team/files/');
    const room = 1024 - 'team/files/'.length;
    const key = `${'é'.repeat(Math.floor(room / 2))}xx`;
    const conflict = { name: 'ObjectStoreError', code: 'KEY_CONFLICT' };
    await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject(conflict);
    await expect(store.createUpload(key, { partBytes: PART_BYTES })).rejects.toMatchObject(conflict);
    await expect(store.head(key)).rejects.toMatchObject(conflict);
    await expect(store.get(key)).rejects.toMatchObject(conflict);
    expect(wire.calls).toEqual([]);
    await store.put(key.slice(0, -1), Buffer.from('x'));
  });

  test('a bucket that is not there is an error, not an absent object', async () => {
    const { clients } = await startStore();
    const store = createS3Store({ client: clients.s3, puts: clients.puts, bucket: 'no-such-bucket' });
    await expect(store.get('a')).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ cause: { name: 'NoSuchBucket' } });
    await expect(Array.fromAsync(store.list(''))).rejects.toMatchObject(UNAVAILABLE);
  });
});

/** Where the SDK, and then we, put an object, or a part of one. */
async function urlsOf(key: string, upload?: { UploadId: string; PartNumber: number }) {
  const { clients, bucket } = await startStore();
  const urls: unknown[] = [];
  for (const { middlewareStack } of [clients.s3, clients.puts]) {
    middlewareStack.add(
      () => (args) => {
        const { protocol, hostname, port, path, query } = args.request as HttpRequest;
        urls.push({ protocol, hostname, port, path, query: { ...query, 'x-id': undefined } });
        throw new Error('seen');
      },
      { step: 'deserialize', priority: 'low', name: 'url' },
    );
  }
  const input = { Bucket: bucket, Key: key, Body: Buffer.alloc(0), ChecksumCRC32: 'AAAAAA==' };
  const command = upload ? new UploadPartCommand({ ...input, ...upload }) : new PutObjectCommand(input);
  await expect(clients.s3.send(command as PutObjectCommand)).rejects.toThrow('seen');
  await expect(clients.puts.send({ ...input, ...upload })).rejects.toThrow('seen');
  return urls;
}

describe('a PUT that the SDK does not make', () => {
  test('goes where the SDK would send it, whatever is in the key', async () => {
    for (const [key, upload] of [
      ['a b/ü+%41~!\'()*;,:@&=$?#[]|\\^`{}"<>.png'],
      ['/./a//../.b/'],
      ['k/é', { UploadId: 'a/b+c=~.', PartNumber: 10_000 }],
    ] as const) {
      const [theirs, ours] = await urlsOf(key, upload);
      expect(ours).toEqual(theirs);
    }
  });

  test('is signed with the time of S3 where that is another one', async () => {
    const { store, wire } = await startStore();
    const date = new Date(Date.now() + 3_600_000);
    const refusal = { status: 403, body: '<Error><Code>RequestTimeTooSkewed</Code></Error>' };
    wire.fault = first('PutObject', { ...refusal, headers: { date: date.toUTCString() } });
    await store.put('k', Buffer.from('x'));
    const [refused, taken] = wire.calls[0]?.attempts ?? [];
    expect(taken?.landed).toBe(true);
    const hourOf = (time = '') => time.slice(0, 11);
    expect(hourOf(taken?.headers['x-amz-date'])).toBe(hourOf(date.toISOString().replaceAll('-', '')));
    expect(hourOf(refused?.headers['x-amz-date'])).not.toBe(hourOf(taken?.headers['x-amz-date']));
  });

  test('has no signature of its body over TLS, and one of it on an open line', async () => {
    const { store, wire } = await startStore();
    await store.put('k', Buffer.from('x'));
    vi.stubEnv('AWS_ENDPOINT_URL_S3', 'https://127.0.0.1:1');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { s3, puts } = wire.attach(createClients());
    wire.fault = () => ({ status: 403, body: '' });
    const secure = createS3Store({ client: s3, puts, bucket: 'bucket' });
    await expect(secure.put('k', Buffer.from('x'))).rejects.toMatchObject(UNAVAILABLE);
    await expect(secure.putPart('k', 'id', 1, Buffer.from('x'))).rejects.toMatchObject(UNAVAILABLE);
    expect(wire.calls.map(({ attempts }) => attempts[0]?.headers['x-amz-content-sha256'])).toEqual([
      hash('sha256', 'x'),
      'UNSIGNED-PAYLOAD',
      'UNSIGNED-PAYLOAD',
    ]);
  });

  test('is left to the SDK where a bucket is asked in another way', async () => {
    const { clients, wire } = await startStore();
    const { s3, puts } = wire.attach(clients);
    wire.fault = () => ({ status: 403, body: '' });
    const store = createS3Store({ client: s3, puts, bucket: 'files--use1-az4--x-s3' });
    await expect(store.put('k', Buffer.from('x'))).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.putPart('k', 'id', 1, Buffer.from('x'))).rejects.toMatchObject(UNAVAILABLE);
    expect(wire.calls.map(({ command }) => command)).toContain('CreateSession');
  });
});

describe('what S3 is given to check', () => {
  test('length and CRC-32 of a body', async () => {
    const { store, wire } = await startStore();
    await store.put('k', Buffer.from('123456789'));
    await store.put('empty', Buffer.alloc(0));
    const [digits, empty] = wire.calls.map(({ attempts }) => attempts[0]?.headers);
    expect(digits).toMatchObject({ 'content-length': '9', 'x-amz-checksum-crc32': 'y/Q5Jg==' });
    expect(empty).toMatchObject({ 'content-length': '0', 'x-amz-checksum-crc32': 'AAAAAA==' });
    expect(digits).not.toHaveProperty('transfer-encoding');
    expect(digits).not.toHaveProperty('Expect');
  });

  test('the same of every part, and of all parts together at the end', async () => {
    const { store, wire } = await startStore();
    const upload = await store.createUpload('k', { partBytes: PART_BYTES });
    const second = await store.putPart('k', upload, 2, Buffer.from('123456789'));
    const first = await store.putPart('k', upload, 1, Buffer.alloc(PART_BYTES));
    await store.completeUpload('k', upload, [second, first]);
    const [create, part, , complete] = wire.calls;
    expect(create?.attempts[0]?.headers).toMatchObject({
      'x-amz-checksum-algorithm': 'CRC32',
      'x-amz-checksum-type': 'FULL_OBJECT',
    });
    expect(part?.attempts[0]?.headers).toMatchObject({ 'content-length': '9', 'x-amz-checksum-crc32': 'y/Q5Jg==' });
    const whole = Buffer.alloc(PART_BYTES + 9);
    whole.write('123456789', PART_BYTES);
    expect(complete?.attempts[0]?.headers).toMatchObject({
      'x-amz-mp-object-size': String(whole.length),
      'x-amz-checksum-type': 'FULL_OBJECT',
      'x-amz-checksum-crc32': checksumOf(whole),
    });
    expect(complete?.input.MultipartUpload).toEqual({
      Parts: [
        { PartNumber: 1, ETag: first.etag, ChecksumCRC32: first.checksum },
        { PartNumber: 2, ETag: second.etag, ChecksumCRC32: 'y/Q5Jg==' },
      ],
    });
  });
});

test('a link for a client binds its length, and no checksum of a body that is not there yet', async () => {
  const { store } = await startStore('team/');
  const { url = '' } = (await store.uploadLink('lists/a', { bytes: 5, expiresInMs: 3_600_000 })) ?? {};
  const { pathname, searchParams } = new URL(url);
  expect(pathname).toMatch(/\/team\/lists\/a$/);
  expect(searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;host');
  expect(searchParams.get('X-Amz-Expires')).toBe('3600');
  expect([...searchParams.keys()].filter((name) => name.includes('checksum'))).toEqual([]);
});

describe('faults of S3', () => {
  test('calls that S3 asks to repeat, or whose connection breaks before or after, are repeated', async () => {
    for (const fault of [SLOW_DOWN, S3_INTERNAL_ERROR, 'lose request', 'lose answer'] as const) {
      const { store, wire } = await startStore();
      wire.fault = (call) => first(call.command, fault)(call);
      await Promise.all([store.put('a', Buffer.from('a')), store.put('b', Buffer.from('b'))]);
      const [body, info, keys] = await Promise.all([store.get('a'), store.head('a'), Array.fromAsync(store.list(''))]);
      expect({ body: String(body), info, keys }).toMatchObject({ body: 'a', info: { bytes: 1 }, keys: ['a', 'b'] });
      await store.delete('a');
      expect(wire.calls.every(({ attempts }) => attempts.length === 2)).toBe(true);
    }
  });

  test('what does not pass ends as unavailable, with the cause', async () => {
    const { store, wire } = await startStore();
    wire.fault = () => S3_INTERNAL_ERROR;
    await expect(store.put('a', Buffer.from('a'))).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: 'S3 failed (InternalError)',
      cause: { name: 'InternalError' },
    });
    expect(wire.calls[0]?.attempts).toHaveLength(5);
  });

  test('a body that breaks off, or ends too early, is not taken for the whole one', async () => {
    const { store, wire } = await startStore();
    await store.put('k', randomBytes(100_000));
    const breaks = async function* (whole: Readable) {
      for await (const piece of whole) {
        yield (piece as Buffer).subarray(0, 10);
        throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
      }
    };
    wire.fault = () => ({ body: (whole) => Readable.from(breaks(whole)) });
    await expect(store.get('k')).rejects.toMatchObject(UNAVAILABLE);
    wire.fault = () => ({ body: () => Readable.from([Buffer.from('short')]) });
    await expect(store.get('k', { from: 10 })).rejects.toMatchObject(UNAVAILABLE);
  });

  test('an upload of which every answer was lost once is completed', async () => {
    const { store, wire } = await startStore();
    wire.fault = (call) => first(call.command, 'lose answer')(call);
    const body = randomBytes(PART_BYTES + 1000);
    const upload = await store.createUpload('k', { partBytes: PART_BYTES });
    const parts = [
      await store.putPart('k', upload, 1, body.subarray(0, PART_BYTES)),
      await store.putPart('k', upload, 2, body.subarray(PART_BYTES)),
    ];
    await store.completeUpload('k', upload, parts);
    await store.abortUpload('k', upload);
    expect((await store.get('k'))?.equals(body)).toBe(true);
    // The first of the two is known to nobody: the bucket's rule ends it.
    expect(wire.calls[0]?.attempts.map(({ landed }) => landed)).toEqual([true, true]);
  });

  test("another upload's object under the key is not taken for the own one", async () => {
    const { store } = await startStore();
    const [mine, theirs] = [
      await store.createUpload('k', { partBytes: PART_BYTES }),
      await store.createUpload('k', { partBytes: PART_BYTES }),
    ];
    const myPart = await store.putPart('k', mine, 1, Buffer.from('mine'));
    await store.completeUpload('k', theirs, [await store.putPart('k', theirs, 1, Buffer.from('same'))]);
    await store.abortUpload('k', mine);
    await expect(store.completeUpload('k', mine, [myPart])).rejects.toMatchObject({
      ...UNAVAILABLE,
      code: 'UPLOAD_LOST',
    });
  });

  test('a completion that begins with 200 and turns into an error is repeated', async () => {
    const { store, wire } = await startStore();
    const upload = await store.createUpload('k', { partBytes: PART_BYTES });
    const part = await store.putPart('k', upload, 1, Buffer.from('x'));
    const error = { status: 200, body: '\n\n<Error><Code>InternalError</Code><Message>x</Message></Error>' };
    wire.fault = first('CompleteMultipartUpload', error);
    await store.completeUpload('k', upload, [part]);
    expect(wire.calls.at(-1)?.attempts.map(({ landed }) => landed)).toEqual([false, true]);
    expect((await store.get('k'))?.toString()).toBe('x');
  });

  test('a completion that never turns out well is unavailable, and nothing is visible', async () => {
    const { store, wire } = await startStore();
    const upload = await store.createUpload('k', { partBytes: PART_BYTES });
    const part = await store.putPart('k', upload, 1, Buffer.from('x'));
    wire.fault = () => ({ status: 200, body: ' <Error><Code>InternalError</Code></Error>' });
    await expect(store.completeUpload('k', upload, [part])).rejects.toMatchObject(UNAVAILABLE);
    wire.fault = () => ({ status: 200, body: '' });
    await expect(store.completeUpload('k', upload, [part])).rejects.toMatchObject(UNAVAILABLE);
    wire.fault = () => undefined;
    expect(await store.get('k')).toBeUndefined();
    await store.abortUpload('k', upload);
  });
});

describe('aborting a call that is under way', () => {
  const reason = new Error('the lease is lost');

  test('while S3 is at it', async () => {
    const { store, wire } = await startStore();
    const controller = new AbortController();
    wire.fault = () => {
      controller.abort(reason);
      return undefined;
    };
    await expect(store.put('k', Buffer.alloc(100_000), { signal: controller.signal })).rejects.toBe(reason);
    expect(wire.underWay).toBe(0);
  });

  test('in the pause before it is repeated, which is not sat out', async () => {
    const { store, wire } = await startStore();
    const controller = new AbortController();
    wire.fault = () => {
      setImmediate(() => controller.abort(reason));
      return SLOW_DOWN;
    };
    await expect(store.put('k', Buffer.from('x'), { signal: controller.signal })).rejects.toBe(reason);
    expect(wire.calls[0]?.attempts.length).toBeLessThan(5);
  });

  test('while the body comes', async () => {
    const { store, wire } = await startStore();
    await store.put('k', Buffer.alloc(10_000_000));
    const controller = new AbortController();
    wire.fault = () => ({
      body: (whole) => {
        controller.abort(reason);
        return whole;
      },
    });
    await expect(store.get('k', { signal: controller.signal })).rejects.toBe(reason);
  });

  test('between two pages of a list', async () => {
    const { store, wire } = await startStore();
    const page = '<IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken>';
    wire.fault = () => ({
      status: 200,
      body: `<ListBucketResult>${page}<Contents><Key>a</Key></Contents></ListBucketResult>`,
    });
    const controller = new AbortController();
    const keys = store.list('', { signal: controller.signal })[Symbol.asyncIterator]();
    expect(await keys.next()).toEqual({ done: false, value: 'a' });
    controller.abort(reason);
    await expect(keys.next()).rejects.toBe(reason);
    expect(wire.calls).toHaveLength(1);
  });
});

test('objects are kept in the bucket as they were given, with what a browser needs to show them', async () => {
  const { store, clients, bucket } = await startStore();
  const headers = { contentType: 'image/png', contentEncoding: 'gzip', metadata: { index: '7' } };
  await store.put('a b/ü+%.png', Buffer.from('png'), headers);
  const object = await clients.s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'a b/ü+%.png' }));
  expect(object).toMatchObject({ ContentType: 'image/png', ContentEncoding: 'gzip', Metadata: { index: '7' } });
  expect(await object.Body?.transformToString()).toBe('png');
});
