/**
 * The bound of what Node does on one thread: a bare GET and a bare signed PUT for each file, over sockets that are kept.
 * No guard, no redirects, no retries, no digest, no ledger, no checksum; the payload is not signed. Large files go up in
 * parts, each by a GET of its range and a PUT.
 *
 *     node bench/s3/bound.ts JOB
 */
import { createHmac, hash } from 'node:crypto';
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { fileName } from '../sources/content.ts';
import { FILES_BUCKET, inLanes, jobOf, urlOf, type Job } from './job.ts';

const job = jobOf(process.argv);
const agent = new Agent({ keepAlive: true, maxSockets: 2 * job.connections });
const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
const scope = `${day}/${job.region}/s3/aws4_request`;
const signingKey = [job.region, 's3', 'aws4_request'].reduce<Buffer>(
  (key, part) => createHmac('sha256', key).update(part).digest(),
  createHmac('sha256', `AWS4${job.secretAccessKey}`).update(day).digest(),
);

await (job.partBytes === undefined ? storeFiles(job) : storeInParts(job, job.partBytes));
agent.destroy();

async function storeFiles(job: Job): Promise<void> {
  await inLanes(job.count, job.connections, async (i) => {
    const body = await call(urlOf(job, i), { method: 'GET' });
    const path = `/${FILES_BUCKET}/${fileName(i)}`;
    await call(`${job.endpoint}${path}`, signed('PUT', path), body);
  });
}

async function storeInParts(job: Job, partBytes: number): Promise<void> {
  const { endpoint, bytes, connections } = job;
  const path = `/${FILES_BUCKET}/${fileName(0)}`;
  const created = await call(`${endpoint}${path}?uploads=`, signed('POST', path, 'uploads='));
  const id = /<UploadId>([^<]+)/.exec(String(created))?.[1] ?? '';
  const etags: string[] = [];
  await inLanes(Math.ceil(bytes / partBytes), connections, async (i) => {
    const to = Math.min(bytes, (i + 1) * partBytes) - 1;
    const part = await call(urlOf(job, 0), { method: 'GET', headers: { range: `bytes=${i * partBytes}-${to}` } });
    const query = `partNumber=${i + 1}&uploadId=${id}`;
    await call(`${endpoint}${path}?${query}`, signed('PUT', path, query), part, (answer) => {
      etags[i] = answer.headers.etag ?? '';
    });
  });
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
  await call(`${endpoint}${path}?uploadId=${id}`, signed('POST', path, `uploadId=${id}`), body);
}

/** Options of a request that is signed by Signature Version 4, with an unsigned payload. */
function signed(method: string, path: string, query = ''): RequestOptions {
  const { host } = new URL(job.endpoint);
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const names = 'host;x-amz-content-sha256;x-amz-date';
  const canonical = `${method}\n${path}\n${query}\nhost:${host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:${date}\n\n${names}\nUNSIGNED-PAYLOAD`;
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash('sha256', canonical)}`;
  const signature = createHmac('sha256', signingKey).update(toSign).digest('hex');
  return {
    method,
    headers: {
      host,
      'x-amz-date': date,
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      authorization: `AWS4-HMAC-SHA256 Credential=${job.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
    },
  };
}

/** Sends a request; resolves with the answer's body. Errors: an answer of another kind. */
function call(
  url: string,
  { headers, ...options }: RequestOptions,
  body: Buffer = Buffer.of(),
  look: (answer: IncomingMessage) => void = () => undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const length = options.method === 'GET' ? {} : { 'content-length': body.length };
    const sent = request(url, { ...options, agent, headers: { ...(headers as object), ...length } }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) >= 300) {
          reject(new Error(`${url}: ${answer.statusCode}`));
          return;
        }
        look(answer);
        resolve(pieces.length === 1 ? (pieces[0] ?? Buffer.of()) : Buffer.concat(pieces));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
