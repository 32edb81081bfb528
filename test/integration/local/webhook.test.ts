import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { parseSecret, signedHeaders } from '../../../local/webhook.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const BODY = '{"name":"ünïcode"}';

/** The function that docs/api.md gives to receivers. */
async function documented() {
  const page = await readFile(new URL('../../../docs/api.md', import.meta.url), 'utf8');
  const code = /```js\n(.*?)```/s.exec(page)?.[1] ?? '';
  const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    isGenuine: (headers: Record<string, string>, body: string, secret: string, now?: number) => boolean;
  };
  return module.isGenuine;
}

describe('a signature', () => {
  it('is one that the library of Standard Webhooks takes', () => {
    const headers = signedHeaders('id', Date.now(), BODY, parseSecret(SECRET));
    expect(new Webhook(SECRET).verify(BODY, headers)).toEqual({ name: 'ünïcode' });
    expect(() => new Webhook(SECRET).verify(`${BODY} `, headers)).toThrow();
  });

  it('is checked by what the documentation gives', async () => {
    const isGenuine = await documented();
    const now = Date.now();
    const headers = signedHeaders('id', now, BODY, parseSecret(SECRET));
    expect(isGenuine(headers, BODY, SECRET)).toBe(true);
    expect(isGenuine(headers, `${BODY} `, SECRET)).toBe(false);
    expect(isGenuine({ ...headers, 'webhook-id': 'another' }, BODY, SECRET)).toBe(false);
    expect(isGenuine({ ...headers, 'webhook-signature': 'v1,' }, BODY, SECRET)).toBe(false);
    expect(isGenuine(headers, BODY, `whsec_${randomBytes(32).toString('base64')}`)).toBe(false);
    expect(isGenuine(headers, BODY, SECRET, now + 301_000)).toBe(false);
  });
});

describe('a secret', () => {
  it.each([
    '',
    'whsec_',
    'whsec_short',
    Buffer.alloc(32).toString('base64'),
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    `whsec_${'!'.repeat(44)}`,
  ])('that cannot be used is refused: %s', (text) => {
    expect(() => parseSecret(text)).toThrow('openssl rand -base64 32');
  });
});
