import { createHmac } from 'node:crypto';

/** Where closed batches are told of, and what the notices are signed with. */
export interface Webhook {
  /** http or https. */
  url: string;
  secret: Buffer;
}

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
