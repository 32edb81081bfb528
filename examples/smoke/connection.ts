import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';

/** API Gateway's own names; a deployment's region is in them. */
const GATEWAY = /^[a-z0-9]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;

/** Sends a request to a path of the service, with what authorises it. */
export type Send = (
  method: string,
  path: string,
  init?: { headers?: Record<string, string>; body?: string },
) => Promise<Response>;

/**
 * A service at `api`. Requests to API Gateway's own names, or for the region given, are signed by Signature Version 4 with
 * the user's credentials, as the AWS CLI finds them.
 */
export function connect(api: string, region = GATEWAY.exec(new URL(api).hostname)?.[1]): Send {
  const signer =
    region === undefined
      ? undefined
      : new SignatureV4({ service: 'execute-api', region, credentials: defaultProvider(), sha256: Sha256 });

  return async (method, path, { headers = {}, body } = {}) => {
    const url = new URL(api.replace(/\/+$/, '') + path);
    const signed = await signer?.sign({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, host: url.host },
      ...(body !== undefined && { body }),
    });
    return fetch(url, {
      method,
      headers: signed?.headers ?? headers,
      // A redirect would lead what is signed elsewhere.
      redirect: 'error',
      ...(body !== undefined && { body }),
    });
  };
}
