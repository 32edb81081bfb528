import type { Command } from 'commander';
import { Option } from 'commander';
import type { Fetch } from '../local/api.ts';
import { UsageError } from './exit.ts';
import { httpUrl } from './values.ts';

/** A service, wherever it runs. */
export interface Connection {
  /** What the paths of the API (docs/api.md) follow; without a slash at its end. */
  base: string;
  /** Sends a request there, with what authorises it. */
  fetch: Fetch;
}

/** What says which service is meant, and who asks. */
export interface ConnectionFlags {
  api: string;
  token?: string;
  region?: string;
}

/** Where `downburst serve` listens unless it is told otherwise. */
const DEFAULT_API = 'http://127.0.0.1:8787';
/** API Gateway's own names; a deployment's region is in them. */
const GATEWAY = /^[a-z0-9]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;

/** Adds the flags of every command that speaks to a service. */
export function addConnectionOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--api <url>', 'the service')
        .env('DOWNBURST_API')
        .default(DEFAULT_API)
        .argParser(httpUrl('--api'))
        .helpGroup('Service:'),
    )
    .addOption(
      new Option('--token <jwt>', 'sent as bearer token, to a deployment that asks for one')
        .env('DOWNBURST_TOKEN')
        .helpGroup('Service:'),
    )
    .addOption(
      new Option(
        '--region <region>',
        "sign requests with your AWS credentials for this region; known from the URL of API Gateway's own names",
      ).helpGroup('Service:'),
    );
}

/**
 * The service that the flags name. Requests to API Gateway are signed with the user's AWS credentials, as the AWS CLI
 * finds them, unless there is a token.
 *
 * @throws UsageError for what would send a token or a list in the clear
 */
export function connect({ api, token, region }: ConnectionFlags): Connection {
  const url = new URL(api);
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !isLoopback) {
    throw new UsageError('--api needs https, but for a service on this machine.');
  }
  const base = (url.origin + url.pathname).replace(/\/+$/, '');
  if (token !== undefined) return { base, fetch: withToken(token) };
  const signedFor = region ?? GATEWAY.exec(url.hostname)?.[1];
  return { base, fetch: signedFor === undefined ? send : signing(signedFor) };
}

/** A redirect would lead what is signed, or a token, elsewhere. */
const send: Fetch = (request) => fetch(request, { redirect: 'error' });

function withToken(token: string): Fetch {
  return (request) => {
    const headers = new Headers(request.headers);
    headers.set('authorization', `Bearer ${token}`);
    return send(new Request(request, { headers }));
  };
}

/** Signs requests; what does that is loaded by the first one. */
function signing(region: string): Fetch {
  let signed: Promise<Fetch> | undefined;
  return async (request) => {
    signed ??= import('./sign.ts').then(({ createSignedFetch }) => createSignedFetch(region, send));
    return (await signed)(request);
  };
}
