/**
 * A process that is an S3 endpoint, made to be no bottleneck: of what is put into a bucket it keeps the key and the size,
 * and checks what S3 checks, the length and the CRC-32 that came along. Bodies are kept in the bucket `state` only, which
 * workers read again. ETags are of the form that says nothing of a body, as those of S3's multipart uploads.
 *
 * No request is authorised, no condition is kept. It speaks as much of S3 as its clients here need: the SDK, rclone.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { FILES_BUCKET, STATE_BUCKET } from './job.ts';

/** What is in the bucket of files, and what was asked for since `DELETE /`; what `GET /?tally` answers. */
export interface Tally {
  objects: number;
  bytes: number;
  leastBytes: number;
  mostBytes: number;
  requests: number;
  /** Bodies that were not what their headers said. */
  refused: number;
  openUploads: number;
}

interface StoredObject {
  bytes: number;
  etag: string;
  at: Date;
  body: Buffer | undefined;
  /** The headers that come back with it. */
  headers: Record<string, string>;
}

interface Upload {
  key: string;
  headers: Record<string, string>;
  parts: Map<number, StoredObject>;
}

/** What a client asks for. */
interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  bucket: string;
  key: string;
  query: URLSearchParams;
}

const PAGE = 1000;
const NO_QUERY = new URLSearchParams();
const buckets = new Map([STATE_BUCKET, FILES_BUCKET].map((name) => [name, new Map<string, StoredObject>()]));
const uploads = new Map<string, Upload>();
let requests = 0;
let refused = 0;
let made = 0;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
// Clients of a benchmark leave their connections alone while others run.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('disconnect', () => process.exit());
process.send?.((server.address() as AddressInfo).port);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<ServerResponse> {
  requests += 1;
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark));
  const slash = path.indexOf('/', 1);
  const bucket = slash < 0 ? path.slice(1) : path.slice(1, slash);
  const key = slash < 0 ? '' : decodeURIComponent(path.slice(slash + 1));
  const call = { request, response, bucket, key, query };
  if (bucket === '') return control(call);
  if (key === '') return answerBucket(call);
  if (request.method === 'PUT') return put(call);
  if (request.method === 'POST') return query.has('uploads') ? createUpload(call) : completeUpload(call);
  if (request.method !== 'DELETE') return read(call);
  if (query.has('uploadId')) uploads.delete(query.get('uploadId') ?? '');
  else buckets.get(bucket)?.delete(key);
  return end(response, 204);
}

/** The benchmark's own requests. */
function control({ request, response }: Call): ServerResponse {
  const files = buckets.get(FILES_BUCKET) ?? new Map<string, StoredObject>();
  if (request.method === 'DELETE') {
    files.clear();
    requests = refused = 0;
    return end(response, 204);
  }
  let [bytes, leastBytes, mostBytes] = [0, Infinity, 0];
  for (const object of files.values()) {
    bytes += object.bytes;
    leastBytes = Math.min(leastBytes, object.bytes);
    mostBytes = Math.max(mostBytes, object.bytes);
  }
  const tally = { objects: files.size, bytes, leastBytes, mostBytes, requests, refused, openUploads: uploads.size };
  return end(response, 200, JSON.stringify(tally satisfies Tally), { 'content-type': 'application/json' });
}

async function put(call: Call): Promise<ServerResponse> {
  const { bucket, key, query, request, response } = call;
  const objects = buckets.get(bucket);
  const object = await take(call, bucket === STATE_BUCKET);
  if (!objects) return fail(response, 404, 'NoSuchBucket');
  if (!object) return fail(response, 400, 'BadDigest');
  const upload = uploads.get(query.get('uploadId') ?? '');
  if (upload) upload.parts.set(Number(query.get('partNumber')), object);
  else if (query.has('uploadId')) return fail(response, 404, 'NoSuchUpload');
  else objects.set(key, object);
  const sum = request.headers['x-amz-checksum-crc32'];
  return end(response, 200, '', { etag: object.etag, ...(typeof sum === 'string' && { 'x-amz-checksum-crc32': sum }) });
}

/** Reads a body to its end; `undefined` where it is not what its headers say. */
async function take({ request }: Call, isKept: boolean): Promise<StoredObject | undefined> {
  const { headers } = request;
  const expected = headers['x-amz-checksum-crc32'];
  const isPacked = headers['content-encoding']?.includes('aws-chunked') ?? false;
  const kept: Buffer[] = [];
  let received = 0;
  let sum = 0;
  request.on('data', (piece: Buffer) => {
    received += piece.length;
    if (expected !== undefined && !isPacked) sum = crc32(piece, sum);
    if (isKept) kept.push(piece);
  });
  await once(request, 'end');
  const declared = Number(headers['content-length'] ?? received);
  const isSound = isPacked
    ? received >= Number(headers['x-amz-decoded-content-length'])
    : expected === undefined || expected === base64Of(sum);
  if (received !== declared || !isSound) {
    refused += 1;
    return undefined;
  }
  return {
    bytes: isPacked ? Number(headers['x-amz-decoded-content-length']) : received,
    etag: nextEtag(),
    at: new Date(),
    body: isKept ? Buffer.concat(kept) : undefined,
    headers: keptHeaders(request),
  };
}

function createUpload({ bucket, key, request, response }: Call): ServerResponse {
  const id = `upload-${++made}`;
  uploads.set(id, { key: `${bucket}/${key}`, headers: keptHeaders(request), parts: new Map() });
  return xml(
    response,
    `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${escape(key)}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
  );
}

/** The parts that the client names have to be there: those it does not name are left out, as S3 does. */
async function completeUpload({ bucket, key, query, request, response }: Call): Promise<ServerResponse> {
  const id = query.get('uploadId') ?? '';
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const upload = uploads.get(id);
  if (upload?.key !== `${bucket}/${key}`) return fail(response, 404, 'NoSuchUpload');
  const numbers = [...String(Buffer.concat(pieces)).matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)];
  const parts = numbers.map(([, number]) => upload.parts.get(Number(number)));
  if (parts.length === 0 || parts.includes(undefined)) return fail(response, 400, 'InvalidPart');
  uploads.delete(id);
  const bytes = parts.reduce((sum, part) => sum + (part?.bytes ?? 0), 0);
  const isKept = bucket === STATE_BUCKET;
  const body = isKept ? Buffer.concat(parts.map((part) => part?.body ?? Buffer.of())) : undefined;
  const object = { bytes, etag: nextEtag(), at: new Date(), body, headers: upload.headers };
  buckets.get(bucket)?.set(key, object);
  return xml(
    response,
    `<CompleteMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${escape(key)}</Key><ETag>${escape(object.etag)}</ETag></CompleteMultipartUploadResult>`,
  );
}

function read({ bucket, key, request, response }: Call): ServerResponse {
  const object = buckets.get(bucket)?.get(key);
  if (!object) return fail(response, 404, 'NoSuchKey', request.method === 'HEAD');
  const headers = { ...object.headers, etag: object.etag, 'last-modified': object.at.toUTCString() };
  if (request.method === 'HEAD') {
    return response.writeHead(200, { ...headers, 'content-length': object.bytes }).end();
  }
  const { body } = object;
  if (!body) return fail(response, 404, 'NoSuchKey');
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === '') return end(response, 200, body, headers);
  if (Number(from) >= body.length) return fail(response, 416, 'InvalidRange');
  const range = body.subarray(Number(from), to === '' ? body.length : Number(to) + 1);
  return end(response, 206, range, {
    ...headers,
    'content-range': `bytes ${from}-${Number(from) + range.length - 1}/${body.length}`,
  });
}

/** A bucket's own requests: it is there, and it lists its keys in the order of their bytes. */
function answerBucket({ bucket, query, request, response }: Call): ServerResponse {
  const objects = buckets.get(bucket);
  if (!objects) return fail(response, 404, 'NoSuchBucket', request.method === 'HEAD');
  if (request.method !== 'GET') return end(response, 200);
  if (!query.has('list-type')) return xml(response, '<LocationConstraint/>');
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && compare(key, after) > 0).sort(compare);
  const folders = new Set<string>();
  const contents: string[] = [];
  let last = '';
  let isTruncated = false;
  for (const key of keys) {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const folder = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    isTruncated = contents.length + folders.size >= PAGE && (folder === undefined || !folders.has(folder));
    if (isTruncated) break;
    last = key;
    if (folder !== undefined) folders.add(folder);
    else contents.push(contentsOf(key, objects));
  }
  const next = isTruncated ? `<NextContinuationToken>${escape(last)}</NextContinuationToken>` : '';
  const common = [...folders].map((folder) => `<CommonPrefixes><Prefix>${escape(folder)}</Prefix></CommonPrefixes>`);
  return xml(
    response,
    `<ListBucketResult><Name>${bucket}</Name><Prefix>${escape(prefix)}</Prefix><KeyCount>${contents.length + folders.size}</KeyCount>` +
      `<MaxKeys>${PAGE}</MaxKeys><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join('')}${common.join('')}</ListBucketResult>`,
  );
}

function contentsOf(key: string, objects: ReadonlyMap<string, StoredObject>): string {
  const { bytes = 0, etag = '', at = new Date(0) } = objects.get(key) ?? {};
  return `<Contents><Key>${escape(key)}</Key><Size>${bytes}</Size><ETag>${escape(etag)}</ETag><LastModified>${at.toISOString()}</LastModified></Contents>`;
}

/** What a client says of an object, which comes back with it. */
function keptHeaders({ headers }: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if ((name === 'content-type' || name.startsWith('x-amz-meta-')) && typeof value === 'string') kept[name] = value;
  }
  return kept;
}

function nextEtag(): string {
  return `"${(++made).toString(16).padStart(32, '0')}-1"`;
}

function base64Of(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return bytes.toString('base64');
}

/** The order of UTF-8, in which S3 lists. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function end(response: ServerResponse, status: number, body: string | Buffer = '', headers = {}): ServerResponse {
  return response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

function xml(response: ServerResponse, body: string): ServerResponse {
  return end(response, 200, `<?xml version="1.0" encoding="UTF-8"?>\n${body}`, { 'content-type': 'application/xml' });
}

function fail(response: ServerResponse, status: number, code: string, isBodyless = false): ServerResponse {
  const body = isBodyless ? '' : `<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return end(response, status, body, isBodyless ? {} : { 'content-type': 'application/xml' });
}
