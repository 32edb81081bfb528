/**
 * What people write into a handler: `fetch`, then `PutObject` of the body, so many at once; a large file as a stream
 * through lib-storage's `Upload`. Both as they come, with their default settings.
 *
 *     node bench/s3/plain.ts JOB
 */
import { Readable } from 'node:stream';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { fileName } from '../sources/content.ts';
import { FILES_BUCKET, inLanes, jobOf, urlOf } from './job.ts';

const job = jobOf(process.argv);
const { endpoint, count, connections, partBytes, region, accessKeyId, secretAccessKey } = job;
const client = new S3Client({ region, endpoint, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });

await inLanes(count, connections, async (i) => {
  const response = await fetch(urlOf(job, i));
  if (!response.ok || !response.body) throw new Error(`${urlOf(job, i)}: ${response.status}`);
  const object = { Bucket: FILES_BUCKET, Key: fileName(i) };
  if (partBytes === undefined) {
    const Body = Buffer.from(await response.arrayBuffer());
    await client.send(new PutObjectCommand({ ...object, Body }));
  } else {
    const Body = Readable.fromWeb(response.body);
    await new Upload({ client, params: { ...object, Body } }).done();
  }
});
client.destroy();
