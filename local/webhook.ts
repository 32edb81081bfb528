import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Where closed batches are told of, and what the notices are signed with. */
export interface Webhook {
  /** http or https. */
  url: string;
  secret: Buffer;
}

/** The environment variable with the secret that notices are signed with. */
export const SECRET_VARIABLE = 'DOWNBURST_NOTIFY_SECRET';

const PREFIX = 'whsec_';
/** Bytes of a secret, by the Standard Webhooks specification. */
const SECRET_BYTES = { min: 24, max: 64 };

/** A secret as Standard Webhooks writes it: `whsec_` and Base64. Errors: an `Error` that says what is wrong with it. */
export function parseSecret(text: string): Buffer {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
  const secret = Buffer.from(encoded, 'base64');
  const { min, max } = SECRET_BYTES;
  if (secret.toString('base64') === encoded && secret.length >= min && secret.length <= max) return secret;
  throw new Error(
    `is not ${PREFIX} and ${min} to ${max} bytes in Base64; make one: echo ${PREFIX}$(openssl rand -base64 32)`,
  );
}

/**
 * The headers of a notice, signed by the Standard Webhooks specification (github.com/standard-webhooks): HMAC-SHA256
 * over id, time and body, so that who has the secret knows that the notice is ours, whole, and not an old one.
 *
 * @param at milliseconds since the epoch
 */
export function signedHeaders(id: string, at: number, body: string, secret: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/**
 * A webhook with its secret, from a file or else from the variable.
 *
 * @throws Error in one sentence, where there is no secret or none that can be used
 */
export async function readWebhook(url: string, file: string | undefined, env: NodeJS.ProcessEnv): Promise<Webhook> {
  try {
    const text = file === undefined ? env[SECRET_VARIABLE] : await readFile(file, 'utf8');
    if (text === undefined) throw new Error('is not set; --notify needs a secret there or in --notify-secret-file');
    return { url, secret: parseSecret(text.trim()) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${file ?? SECRET_VARIABLE} ${reason}`, { cause: error });
  }
}
