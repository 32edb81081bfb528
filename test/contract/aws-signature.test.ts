import { hash } from 'node:crypto';
import { Sha256 } from '@smithy/core/checksum';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { expect, test } from 'vitest';
import { createSigner } from '../../adapters/aws/signature.ts';

const BY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session/token==' };
const REGION = 'eu-central-1';

test('a request is signed as the SDK signs it, also on another day and with other credentials', async () => {
  const sign = createSigner();
  const body = Buffer.from('hello');
  const path = '/bucket/a/it%27s%20%281%29%2A/%C3%A9.txt';
  for (const [day, secretAccessKey] of [
    ['2030-01-01', BY.secretAccessKey],
    ['2030-01-01', 'another'],
    ['2030-01-02', 'another'],
  ] as const) {
    const at = new Date(`${day}T12:34:56.789Z`);
    const credentials = { ...BY, secretAccessKey };
    const query = { uploadId: 'a/b~', partNumber: '7' };
    const headers = {
      host: 's3.eu-central-1.amazonaws.com',
      'content-length': '5',
      'content-type': 'text/plain; \t charset=utf-8 ',
      'x-amz-meta-b': 'two  spaces',
      'x-amz-meta-a': 'a',
    };
    const payloadSha256 = hash('sha256', body);
    const signer = new SignatureV4({
      credentials,
      region: REGION,
      service: 's3',
      sha256: Sha256,
      uriEscapePath: false,
    });
    const request = new HttpRequest({ method: 'PUT', path, query, headers: { ...headers }, body });
    const expected = await signer.sign(request, { signingDate: at });
    expect(
      sign(
        { method: 'PUT', path, query: 'partNumber=7&uploadId=a%2Fb~', headers, payloadSha256 },
        credentials,
        REGION,
        at,
      ),
    ).toEqual(expected.headers);
  }
});
