import { describe, expect, test } from 'vitest';
import { createBatchRig, SECRET } from '../../helpers/batch-rig.ts';
import { createTrustedAuthority } from '../../helpers/certificates.ts';
import { file, redirect, status } from '../../helpers/origin-answers.ts';
import type { Answer, Origin } from '../../helpers/origin.ts';
import { expectOutcome, SIGNED, type Seen } from './play.ts';

const pathsOf = (origin: Origin) => origin.requests.map(({ path }) => path);

/** A batch of one file, whose source redirects as these answers say. */
async function run(answers: Readonly<Record<string, Answer>>, seen: Seen, options: object = {}) {
  const rig = await createBatchRig();
  const origin = await rig.startOrigin(answers);
  const { outcomes } = await rig.run([origin.url(SIGNED)], options);
  expectOutcome({ rig, outcome: outcomes[0] }, seen);
  return { rig, origin, outcome: outcomes[0] };
}

describe('redirect', () => {
  test.each([
    ['/next?q=1#top', '/next?q=1'],
    ['next', '/next'],
    ['?q=2', '/file.bin?q=2'],
    ['../../up', '/up'],
    ['/with space', '/with%20space'],
    [Buffer.from('/é').toString('latin1'), '/%C3%A9'],
  ])('relative ("%s"): followed', async (location, path) => {
    const { origin, rig } = await run(
      { [SIGNED]: redirect(location), [path]: file('hello') },
      { stored: 'hello', attempts: 1 },
    );
    expect(pathsOf(origin)).toEqual([SIGNED, path]);
    expect(origin.connections).toBe(1);
    expect([...rig.store.objects.keys()][0]).toContain('/127.0.0.1_'); // the key is the URL's own
  });

  test.each([301, 302, 303, 307, 308])('%i: followed', async (code) => {
    await run({ [SIGNED]: redirect('/b', code), '/b': file('hello') }, { stored: 'hello', attempts: 1 });
  });

  test('to another host: followed with secrets dropped, also on the way back', async () => {
    const rig = await createBatchRig();
    const other = await rig.startOrigin({});
    const origin = await rig.startOrigin({ '/file.bin': redirect('/b'), '/b': redirect(other.url('/c')) });
    other.on('/c', redirect(origin.url('/d')));
    origin.on('/d', file('hello'));
    const entry = { url: origin.url(SIGNED), headers: { cookie: SECRET, 'x-key': SECRET, 'user-agent': SECRET } };
    const { outcomes } = await rig.run([entry]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
    expect(pathsOf(origin)).toEqual([SIGNED, '/b', '/d']);
    for (const { headers } of origin.requests.slice(0, 2)) {
      expect(headers).toMatchObject({ authorization: `Bearer ${SECRET}`, cookie: SECRET, 'user-agent': SECRET });
    }
    for (const { headers } of [...other.requests, ...origin.requests.slice(2)]) {
      expect(JSON.stringify(headers)).not.toContain(SECRET);
      expect(headers['user-agent']).toMatch(/^Downburst/);
    }
  });

  test.each<[string, Record<string, Answer>]>([
    ['to itself', { '/file.bin': redirect(SIGNED) }],
    ['to itself but for the fragment', { '/file.bin': redirect(`${SIGNED}#b`) }],
    ['of three', { '/file.bin': redirect('/b'), '/b': redirect('/c'), '/c': redirect('/b') }],
  ])('loop %s: failed with its own code', async (_, answers) => {
    await run(answers, { code: 'REDIRECT_LOOP', httpStatus: 302, attempts: 1 });
  });

  const hops = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`/${i + 1}`, redirect(`/${i + 2}`)]));

  test('30 hops: failed with its own code, after as many as allowed', async () => {
    const answers = { '/file.bin': redirect('/1'), ...hops };
    const seen: Seen = { code: 'TOO_MANY_REDIRECTS', httpStatus: 302, attempts: 1 };
    const { origin } = await run(answers, seen);
    expect(origin.requests).toHaveLength(11);
    expect((await run(answers, seen, { maxRedirects: 0 })).origin.requests).toHaveLength(1);
  });

  test('30 hops, of which as many are allowed: followed', async () => {
    const answers = { '/file.bin': redirect('/1'), ...hops, '/30': file('hello') };
    await run(answers, { stored: 'hello', attempts: 1 }, { maxRedirects: 30 });
    await run(answers, { code: 'TOO_MANY_REDIRECTS', httpStatus: 302, attempts: 1 }, { maxRedirects: 29 });
  });

  test.each([
    ['to a private address', 'http://10.0.0.1/', 'BLOCKED_ADDRESS'],
    ['to a metadata service', 'http://169.254.169.254/latest/meta-data/', 'BLOCKED_ADDRESS'],
    ['to a metadata service, in hex', 'http://0xA9FEA9FE/', 'BLOCKED_ADDRESS'],
    ['to a metadata service, as mapped IPv6', '//[::ffff:169.254.169.254]/', 'BLOCKED_ADDRESS'],
    ["to Lambda's runtime API", 'http://169.254.100.1:9001/2018-06-01/runtime/invocation/next', 'BLOCKED_ADDRESS'],
    ['to file:', 'file:///etc/passwd', 'BAD_REDIRECT'],
    ['to ftp:', 'ftp://source.test/a', 'BAD_REDIRECT'],
    ['to data:', 'data:text/plain,a', 'BAD_REDIRECT'],
    ['to javascript:', 'javascript:alert(1)', 'BAD_REDIRECT'],
    ['with credentials', `http://user:${SECRET}@source.test/`, 'BAD_REDIRECT'],
    ['to port 0', 'http://source.test:0/', 'BAD_REDIRECT'],
    ['to no host', 'http://', 'BAD_REDIRECT'],
    ['to half an address', 'http://[::1', 'BAD_REDIRECT'],
  ] as const)('%s: failed with its own code', async (_, location, code) => {
    const httpStatus = code === 'BAD_REDIRECT' ? { httpStatus: 302 } : {};
    const { origin } = await run({ '/file.bin': redirect(location) }, { code, ...httpStatus, attempts: 1 });
    expect(origin.requests).toHaveLength(1);
  });

  test('without Location: failed with its own code', async () => {
    await run({ '/file.bin': status(302) }, { code: 'BAD_REDIRECT', httpStatus: 302, attempts: 1 });
  });

  test('https to http: failed with its own code; http to https: followed', async () => {
    const tls = createTrustedAuthority().certify();
    const rig = await createBatchRig();
    const secure = await rig.startOrigin({ '/b': file('hello') }, { tls });
    const open = await rig.startOrigin({ '/up': redirect(secure.url('/b', 'source.test')), '/c': file('open') });
    secure.on('/down', redirect(open.url('/c', 'source.test')));
    const urls = [open.url('/up', 'source.test'), secure.url('/down', 'source.test')];
    const { outcomes } = await rig.run(urls);
    expect(outcomes).toMatchObject([
      { state: 'done', bytes: 5, attempts: 1 },
      { state: 'failed', code: 'INSECURE_REDIRECT', httpStatus: 302, attempts: 1 },
    ]);
    expect(pathsOf(open)).toEqual(['/up']);
  });
});
