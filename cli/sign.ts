import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Fetch } from '../local/api.ts';
import { UsageError } from './exit.ts';

/**
 * Signs requests by AWS Signature Version 4 for API Gateway, with the user's credentials as the AWS CLI finds them:
 * environment, profile, single sign-on, role. They are asked for again when they run out.
 *
 * @param send sends what is signed
 */
export function createSignedFetch(region: string, send: Fetch): Fetch {
  const provider = defaultProvider();
  const credentials = () =>
    provider().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UsageError(`There are no AWS credentials to sign with (${reason}); try: aws sts get-caller-identity`, {
        cause: error,
      });
    });
  const signer = new SignatureV4({ service: 'execute-api', region, credentials, sha256: Sha256 });

  return async (request) => {
    const url = new URL(request.url);
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
    const { headers } = await signer.sign({
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port !== '' && { port: Number(url.port) }),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...Object.fromEntries(request.headers), host: url.host },
      ...(body && { body }),
    });
    const { method, signal } = request;
    return send(new Request(url, { method, headers, signal, ...(body && { body }) }));
  };
}
