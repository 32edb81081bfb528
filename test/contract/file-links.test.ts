import { Hono } from 'hono';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createS3Links } from '../../adapters/aws/s3-links.ts';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { createFileStore } from '../../adapters/files/file-store.ts';
import { attachment } from '../../core/ports/file-links.ts';
import { createApp } from '../../http/app.ts';
import { addFilesRoute, localLinks } from '../../local/files-route.ts';
import { serveHttp } from '../../local/http-server.ts';
import { startAws } from '../helpers/aws.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { describeFileLinks } from './file-links-contract.ts';

describeFileLinks('S3', async () => {
  const aws = await startAws();
  return { store: createAwsStores(aws.config, aws.clients).files, base: 'http://127.0.0.1' };
});

describeFileLinks('plain files', async () => {
  const folder = await tempFolder();
  const store = createFileStore({ root: `${folder}/f`, tempRoot: `${folder}/t`, metadataRoot: `${folder}/h` });
  const app = createApp({ onError: () => undefined }, (app) => addFilesRoute(app, store));
  expect(app).toBeInstanceOf(Hono);
  const server = await serveHttp(app, 0);
  onTestFinished(() => server.close());
  return { store: { ...store, ...localLinks }, base: server.url };
});

describe('a presigned link', () => {
  // The emulator checks no signature and overrides no header: what S3 is asked for is checked here.
  test('asks for an attachment with the name of the file, for 15 minutes, below the prefix', async () => {
    const { clients, config } = await startAws();
    const links = createS3Links({ client: clients.s3, bucket: config.filesBucket, prefix: 'files/' });
    const url = new URL(await links.link("a/it's (1)*.txt"));
    expect(decodeURIComponent(url.pathname)).toBe(`/${config.filesBucket}/files/a/it's (1)*.txt`);
    expect(url.searchParams.get('X-Amz-Expires')).toBe('900');
    expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('host');
    expect(url.searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
    expect(url.searchParams.get('response-content-disposition')).toBe(
      "attachment; filename*=UTF-8''it%27s%20%281%29%2A.txt",
    );
  });
});

test('a name is written as RFC 8187 says', () => {
  expect(attachment('a/b/€ rates.csv')).toBe("attachment; filename*=UTF-8''%E2%82%AC%20rates.csv");
});
