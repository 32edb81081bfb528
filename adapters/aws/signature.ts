import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

/** Who signs, and for what. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** A request to S3 whose path and query are encoded. Header names are in lower case. */
export interface Unsigned {
  method: string;
  path: string;
  /** Without the question mark; sorted by name. */
  query: string;
  headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or `UNSIGNED-PAYLOAD`. */
  payloadSha256: string;
}

/**
 * Signs requests to S3 by Signature Version 4 (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html): what
 * the SDK's signer does, for a fraction of the time, since it knows what it signs and keeps the key of the day.
 *
 * @returns the headers to send, all of which are signed
 */
export function createSigner(): (
  request: Unsigned,
  by: Credentials,
  region: string,
  at: Date,
) => Record<string, string> {
  let made: { of: string; key: KeyObject } | undefined;

  function keyOf(secret: string, day: string, region: string): KeyObject {
    const of = `${secret}/${day}/${region}`;
    if (made?.of !== of) {
      const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`));
      // As a Buffer it would be checked and copied with each use, which takes six times as long.
      made = { of, key: createSecretKey(key) };
    }
    return made.key;
  }

  return (
    { method, path, query, headers, payloadSha256 },
    { accessKeyId, secretAccessKey, sessionToken },
    region,
    at,
  ) => {
    const time = at.toISOString().replace(/[-:]|\.\d+/g, '');
    const day = time.slice(0, 8);
    const all: Record<string, string> = { ...headers, 'x-amz-content-sha256': payloadSha256, 'x-amz-date': time };
    if (sessionToken !== undefined) all['x-amz-security-token'] = sessionToken;
    const names = Object.keys(all).sort();
    let lines = '';
    for (const name of names) lines += `${name}:${canonical(all[name] ?? '')}\n`;
    const signed = names.join(';');
    const request = `${method}\n${path}\n${query}\n${lines}\n${signed}\n${payloadSha256}`;
    const scope = `${day}/${region}/s3/aws4_request`;
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', request)}`;
    const signature = hmac(keyOf(secretAccessKey, day, region), toSign).toString('hex');
    all.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
    return all;
  };
}

/** What trimming or folding would change. */
const ODD_BLANKS = /^\s|[^\S ]|\s\s|\s$/;

function canonical(value: string): string {
  return ODD_BLANKS.test(value) ? value.trim().replaceAll(/\s+/g, ' ') : value;
}

function hmac(key: Buffer | KeyObject, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
