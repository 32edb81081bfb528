import { hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  PutObjectCommand,
  S3ServiceException,
  UploadPartCommand,
  type PutObjectCommandOutput,
  type S3Client,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import { constructStack } from '@smithy/core/client';
import { getEndpointFromInstructions } from '@smithy/core/endpoints';
import { HttpRequest, HttpResponse } from '@smithy/core/protocols';
import { getRetryPlugin } from '@smithy/core/retry';
import { createPutSender, type SenderLimits } from './put-sender.ts';
import { createSigner } from './signature.ts';

/** What a PUT is made of: an object, or a part of one. */
export interface PutInput {
  Bucket: string;
  Key: string;
  Body: Buffer;
  ChecksumCRC32: string;
  ContentType?: string | undefined;
  ContentEncoding?: string | undefined;
  Metadata?: Record<string, string> | undefined;
  /** SHA-256 of the body in hex, if it is known. */
  sha256?: string | undefined;
  /** The upload that the body is a part of. */
  UploadId?: string;
  PartNumber?: number;
}

interface PutOptions {
  abortSignal: AbortSignal;
}

/** What S3 says of it. */
type Stored = Pick<PutObjectCommandOutput, 'ETag' | '$metadata'>;

/** A client of S3 that can do one thing. Its stack can be looked into as those of the SDK's clients. */
export interface Puts extends Pick<S3Client, 'middlewareStack' | 'destroy'> {
  send: (input: PutInput, options?: PutOptions) => Promise<Stored>;
}

/** Where a bucket is. */
interface Place {
  url: URL;
  /** What its keys come behind. */
  folder: string;
  region: string;
}

/**
 * PutObject and UploadPart for a third of the processor's time that the SDK takes, which for small files is more than all
 * the rest of a worker. Endpoint, credentials, clock and retries are those of `s3`; the request is made here, and sent over
 * connections of its own. A bucket that is asked in another way than by plain Signature Version 4, such as a directory
 * bucket, is left to the SDK.
 */
export function createPuts(s3: S3Client, limits: SenderLimits): Puts {
  const { config } = s3;
  const sender = createPutSender(limits);
  const stack = constructStack<ServiceInputTypes, ServiceOutputTypes>();
  const sign = createSigner();
  const places = new Map<string, Place | undefined>();

  /** `undefined` where the SDK has to ask. */
  async function placeOf(Bucket: string): Promise<Place | undefined> {
    if (places.has(Bucket)) return places.get(Bucket);
    const { url, properties } = await getEndpointFromInstructions({ Bucket }, PutObjectCommand, {
      ...(config as object),
    });
    const [scheme] = (properties?.authSchemes ?? []) as { name: string; signingName: string; signingRegion: string }[];
    const isPlain = scheme?.name === 'sigv4' && scheme.signingName === 's3';
    const folder = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`;
    const place = isPlain ? { url, folder, region: scheme.signingRegion } : undefined;
    places.set(Bucket, place);
    return place;
  }

  /** The next attempt is signed with the time of S3, as with the SDK. */
  function setClock(error: S3ServiceException, { headers }: HttpResponse): void {
    const offset = Date.parse(headers.date ?? '') - Date.now();
    if (error.name !== 'RequestTimeTooSkewed' || Number.isNaN(offset)) return;
    config.systemClockOffset = offset;
    Object.assign(error.$metadata, { clockSkewCorrected: true });
  }

  function bySdk(input: PutInput, options?: PutOptions): Promise<Stored> {
    const { UploadId, PartNumber } = input;
    if (UploadId === undefined) return s3.send(new PutObjectCommand(input), options);
    return s3.send(new UploadPartCommand({ ...input, UploadId, PartNumber }), options);
  }

  /** As the SDK's own handler does it. */
  async function handle(
    { url }: Place,
    request: HttpRequest,
    options?: PutOptions,
  ): Promise<{ response: HttpResponse }> {
    const { path, query, headers } = request;
    const target = query.partNumber === undefined ? path : `${path}?${textOf(query)}`;
    const body = request.body as Buffer;
    const answer = await sender.send({ url, target, headers, body }, options?.abortSignal);
    const said = answer.text === '' ? undefined : Readable.from([answer.text]);
    const response = { statusCode: answer.status, headers: answer.headers as HttpResponse['headers'], body: said };
    return { response: new HttpResponse(response) };
  }

  getRetryPlugin(config).applyToStack(stack);
  stack.add(
    // With each attempt, since a signature does not last.
    (next) => async (args) => {
      const input = args.input as PutInput & { place: Place };
      const { place } = input;
      const request = requestOf(place, input);
      const { method, path, query, headers } = request;
      const payloadSha256 = input.sha256 ?? payloadOf(input.Body, place.url);
      const unsigned = { method, path, query: textOf(query), headers, payloadSha256 };
      const at = new Date(Date.now() + config.systemClockOffset);
      request.headers = sign(unsigned, await config.credentials(), place.region, at);
      return next({ ...args, request });
    },
    { step: 'finalizeRequest', priority: 'low', name: 'putRequest' },
  );
  stack.add(
    (next) => async (args) => {
      const { response } = (await next(args)) as { response: HttpResponse };
      const { statusCode, headers } = response;
      if (statusCode >= 300) {
        const error = await errorOf(response);
        setClock(error, response);
        throw error;
      }
      return { response, output: { $metadata: { httpStatusCode: statusCode }, ETag: headers.etag } };
    },
    { step: 'deserialize', name: 'putAnswer' },
  );

  return {
    middlewareStack: stack,
    destroy: () => sender.destroy(),
    async send(input, options) {
      const place = await placeOf(input.Bucket);
      if (!place) return bySdk(input, options);
      const send = ({ request }: { request?: unknown }) => handle(place, request as HttpRequest, options);
      const run = stack.resolve<PutInput & { place: Place }, Stored>(send, {
        clientName: 'S3Client',
        commandName: input.UploadId === undefined ? 'PutObjectCommand' : 'UploadPartCommand',
        __smithy_context: { ...options },
      });
      return (await run({ input: { ...input, place } })).output;
    },
  };
}

/**
 * What stands for a body in its signature. TLS keeps it from being changed on its way, and S3 compares it with the CRC-32,
 * which is signed; on a line without TLS it has to be hashed, which takes as long as all else that is done with it.
 */
function payloadOf(body: Buffer, { protocol }: URL): string {
  return protocol === 'https:' ? 'UNSIGNED-PAYLOAD' : hash('sha256', body);
}

function requestOf({ url, folder }: Place, input: PutInput): HttpRequest {
  const { protocol, hostname, port, host } = url;
  const { Key, Body, ChecksumCRC32, ContentType, ContentEncoding, Metadata = {}, UploadId, PartNumber } = input;
  const headers: Record<string, string> = {
    host,
    'content-length': String(Body.length),
    'content-type': ContentType ?? 'application/octet-stream',
    'x-amz-checksum-crc32': ChecksumCRC32,
  };
  if (ContentEncoding !== undefined) headers['content-encoding'] = ContentEncoding;
  for (const [name, value] of Object.entries(Metadata)) headers[`x-amz-meta-${name.toLowerCase()}`] = value;
  const path = folder + Key.split('/').map(encode).join('/');
  return new HttpRequest({
    ...{ protocol, hostname, path, headers, method: 'PUT', body: Body },
    ...(UploadId !== undefined && { query: { partNumber: String(PartNumber), uploadId: UploadId } }),
    ...(port !== '' && { port: Number(port) }),
  });
}

/** A query as Signature Version 4 has it, its names in their order. */
function textOf(query: HttpRequest['query']): string {
  const pairs = Object.entries(query as Record<string, string>);
  return pairs.map(([name, value]) => `${name}=${encode(value)}`).join('&');
}

const UNRESERVED = /^[\w.~-]*$/;

/** RFC 3986's unreserved characters stay as they are; `encodeURIComponent` leaves some more. */
function encode(text: string): string {
  if (UNRESERVED.test(text)) return text;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** As the SDK reports it, so that its retries and our store know it by its name. */
async function errorOf({ statusCode, body }: HttpResponse): Promise<S3ServiceException> {
  const said = body ? await text(body as Readable) : '';
  const tell = (element: string) => new RegExp(`<${element}>([^<]*)<`).exec(said)?.[1];
  return new S3ServiceException({
    name: tell('Code') ?? 'UnknownError',
    message: tell('Message') ?? '',
    $fault: statusCode >= 500 ? 'server' : 'client',
    $metadata: { httpStatusCode: statusCode },
  });
}
