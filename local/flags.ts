import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import ipaddr from 'ipaddr.js';
import { parseSecret, type Webhook } from './webhook.ts';

export interface Flags {
  port: number;
  dataFolder: string;
  workers: number;
  /** Networks that may be downloaded from besides the public internet, in CIDR notation. */
  allowedNetworks: string[];
  /** Where closed batches are told of. */
  notify?: string | undefined;
  /** Of the secret that these notices are signed with. */
  notifySecretFile?: string | undefined;
}

const DEFAULT_PORT = 8787;
/** Threads beyond the cores win nothing, and each takes its own memory. */
const MAX_WORKERS = 64;

/** The environment variable with the secret that notices are signed with. */
export const SECRET_VARIABLE = 'DOWNBURST_NOTIFY_SECRET';

export const USAGE = `Usage: npm start -- [flags]

Starts Downburst on this machine. It serves its HTTP API on 127.0.0.1 and stores files in a folder.

  --port N               port to listen on; 0 takes a free one (default ${DEFAULT_PORT})
  --data FOLDER          where files and state go (default ./data)
  --workers N            worker threads, 1 to ${MAX_WORKERS} (default: one per core)
  --allow-network CIDR   also download from this network, such as 127.0.0.0/8 or 10.1.0.0/16; may be repeated.
                         Without it, only public addresses are downloaded from.
  --notify URL           POST the summary of every closed batch there, signed with the secret in the variable
                         ${SECRET_VARIABLE}
  --notify-secret-file FILE
                         the secret's file, instead of the variable
  --help                 this text
  --version              the version
`;

/** A flag that cannot be used; the message says what to do. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageError';
  }
}

/** What the arguments ask for: a text to be printed, or a service. Errors: `UsageError`. */
export function parseFlags(args: string[]): 'help' | 'version' | Flags {
  const { values } = parse(args);
  if (values.help) return 'help';
  if (values.version) return 'version';
  const secretFile = values['notify-secret-file'];
  if (secretFile !== undefined && values.notify === undefined) {
    throw new UsageError('--notify-secret-file goes with --notify.');
  }
  if (values.data === '') throw new UsageError('--data needs a folder.');
  return {
    port: wholeNumber('--port', values.port, DEFAULT_PORT, 0, 65_535),
    dataFolder: resolve(values.data),
    workers: wholeNumber('--workers', values.workers, Math.min(availableParallelism(), MAX_WORKERS), 1, MAX_WORKERS),
    allowedNetworks: values['allow-network'].map(network),
    ...(values.notify !== undefined && { notify: httpUrl('--notify', values.notify) }),
    ...(secretFile !== undefined && { notifySecretFile: resolve(secretFile) }),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: 'string' },
        data: { type: 'string', default: 'data' },
        workers: { type: 'string' },
        'allow-network': { type: 'string', multiple: true, default: [] },
        notify: { type: 'string' },
        'notify-secret-file': { type: 'string' },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    // Node's first sentence names the flag; what may follow is advice on Node's own syntax.
    const [sentence = ''] = String(error instanceof Error ? error.message : error).split(/\.?(?:\s*$|\n|\. )/);
    throw new UsageError(`${sentence}; --help names the flags.`, { cause: error });
  }
}

function wholeNumber(flag: string, text: string | undefined, otherwise: number, min: number, max: number): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${flag} needs a whole number from ${min} to ${max}, not '${text}'.`);
}

function network(text: string): string {
  if (ipaddr.isValidCIDR(text)) return text;
  throw new UsageError(`--allow-network needs a network like 10.1.0.0/16 or fd00::/8, not '${text}'.`);
}

function httpUrl(flag: string, text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url.href;
  // What was given may hold secrets.
  throw new UsageError(`${flag} needs a URL like https://example.com/hook, without credentials.`);
}

/** The webhook that the flags ask for. Errors: `UsageError` where there is no secret, or none that can be used. */
export async function readWebhook(
  { notify, notifySecretFile: file }: Pick<Flags, 'notify' | 'notifySecretFile'>,
  env: NodeJS.ProcessEnv,
): Promise<Webhook | undefined> {
  if (notify === undefined) return undefined;
  const from = file ?? SECRET_VARIABLE;
  try {
    const text = file === undefined ? env[SECRET_VARIABLE] : await readFile(file, 'utf8');
    if (text === undefined) throw new Error('is not set; --notify needs a secret there or in --notify-secret-file');
    return { url: notify, secret: parseSecret(text.trim()) };
  } catch (error) {
    throw new UsageError(`${from} ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
