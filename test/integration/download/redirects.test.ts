import { describe, expect, test } from 'vitest';
import { createDownloadRig, jobFor } from '../../helpers/download.ts';
import { setDefaultCACertificates, getCACertificates } from 'node:tls';
import { TEST_AUTHORITY, VALID } from '../../helpers/certificates.ts';
import { file, redirect, status } from '../../helpers/origin-answers.ts';
import { startOrigin, type Origin } from '../../helpers/origin.ts';

const failed = (code: string, fields: object = {}) =>
  expect.objectContaining({ name: 'DownloadError', code, ...fields }) as unknown;

const pathsOf = (origin: Origin) => origin.requests.map(({ path }) => path);

describe('redirects', () => {
  test.each([301, 302, 303, 307, 308])('%i is followed, and says nothing of the key', async (code) => {
    const origin = await startOrigin({ '/a': redirect('/b', code), '/b': file('b') });
    const rig = createDownloadRig();
    expect(await rig.download(jobFor(origin.url('/a')))).toMatchObject({ state: 'done', bytes: 1, httpStatus: 200 });
    expect(rig.store.objects.get('files/a')?.metadata).toMatchObject({ 'downburst-source': origin.url('/a') });
    expect(origin.connections).toBe(1);
  });

  test.each([
    ['next?q=1#top', '/dir/next?q=1'],
    ['../up', '/up'],
    ['?q=2', '/dir/a?q=2'],
    ['/with space', '/with%20space'],
    [Buffer.from('/é').toString('latin1'), '/%C3%A9'],
  ])('a Location of "%s" is taken relative to the URL', async (location, path) => {
    const origin = await startOrigin({ '/dir/a': redirect(location), [path]: file('b') });
    await createDownloadRig().download(jobFor(origin.url('/dir/a')));
    expect(pathsOf(origin)).toEqual(['/dir/a', path]);
  });

  test("the user's headers go to the URL's own origin only, and do not come back", async () => {
    const other = await startOrigin();
    const origin = await startOrigin({ '/a': redirect('/b'), '/b': redirect(other.url('/c')), '/d': file('d') });
    other.on('/c', redirect(origin.url('/d')));
    const hosts: string[] = [];
    const job = jobFor(origin.url('/a'), {
      headers: { authorization: 'secret' },
      entry: { headers: { cookie: 'secret', 'user-agent': 'secret' } },
      enterHost: (host) => {
        hosts.push(host);
        return Promise.resolve();
      },
    });
    await createDownloadRig().download(job);
    const secrets = { authorization: 'secret', cookie: 'secret', 'user-agent': 'secret' };
    expect(origin.requests.slice(0, 2)).toMatchObject([{ headers: secrets }, { headers: secrets }]);
    for (const { headers } of [...other.requests, ...origin.requests.slice(2)]) {
      expect(JSON.stringify(headers)).not.toContain('secret');
      expect(headers['user-agent']).toMatch(/^Downburst/);
    }
    expect(hosts).toEqual([other.url('').replace(/\/$/, ''), origin.url('').replace(/\/$/, '')]);
  });

  test('another host is asked only once its slot is there, and the answer before is done with', async () => {
    const other = await startOrigin({ '/b': file('b') });
    const origin = await startOrigin({ '/a': redirect(other.url('/b')) });
    const rig = createDownloadRig();
    const entered = Promise.withResolvers<undefined>();
    const slot = Promise.withResolvers<undefined>();
    const download = rig.download(
      jobFor(origin.url('/a'), {
        enterHost: async () => {
          entered.resolve(undefined);
          await slot.promise;
        },
      }),
    );
    await entered.promise;
    await rig.clock.advance(60 * 60 * 1000); // waiting for a slot has no limit here
    expect(other.requests).toEqual([]);
    slot.resolve(undefined);
    expect(await download).toMatchObject({ state: 'done' });
  });

  test('the attempt fails with the error of the host that could not be entered', async () => {
    const origin = await startOrigin({ '/a': redirect('http://other.test/') });
    const parked = new Error('parked');
    const rig = createDownloadRig();
    const job = jobFor(origin.url('/a'), { enterHost: () => Promise.reject(parked) });
    await expect(rig.download(job)).rejects.toBe(parked);
    expect(rig.clock.pending()).toBe(0);
  });

  test.each([
    ['to where it came from', { '/a': '/b', '/b': '/c', '/c': '/b' }, 'REDIRECT_LOOP'],
    ['to itself', { '/a': '/a' }, 'REDIRECT_LOOP'],
    ['to itself but for the fragment', { '/a': '/a#b' }, 'REDIRECT_LOOP'],
  ])('a redirect %s is a loop', async (_, redirects, code) => {
    const answers = Object.entries(redirects).map(([from, to]) => [from, redirect(to)] as const);
    const origin = await startOrigin(Object.fromEntries(answers));
    await expect(createDownloadRig().download(jobFor(origin.url('/a')))).rejects.toEqual(failed(code));
  });

  test('as many redirects as allowed are followed, and no more', async () => {
    const answers = Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`/${i}`, redirect(`/${i + 1}`)]));
    const origin = await startOrigin({ ...answers, '/10': file('end') });
    const rig = createDownloadRig();
    const download = (maxRedirects: number) => rig.download(jobFor(origin.url('/0'), { options: { maxRedirects } }));
    expect(await download(10)).toMatchObject({ state: 'done' });
    await expect(download(9)).rejects.toEqual(failed('TOO_MANY_REDIRECTS', { httpStatus: 302 }));
    origin.on('/10', redirect('/11'));
    await expect(download(10)).rejects.toEqual(failed('TOO_MANY_REDIRECTS'));
    await expect(download(0)).rejects.toEqual(failed('TOO_MANY_REDIRECTS'));
  });

  test.each([
    ['file:///etc/passwd', 'BAD_REDIRECT'],
    ['ftp://source.test/a', 'BAD_REDIRECT'],
    ['data:text/plain,a', 'BAD_REDIRECT'],
    ['javascript:alert(1)', 'BAD_REDIRECT'],
    ['http://user:secret@source.test/', 'BAD_REDIRECT'],
    ['http://source.test:0/', 'BAD_REDIRECT'],
    ['http://', 'BAD_REDIRECT'],
    ['http://[::1', 'BAD_REDIRECT'],
    ['http://10.0.0.1/', 'BLOCKED_ADDRESS'],
    ['http://169.254.169.254/latest/meta-data/', 'BLOCKED_ADDRESS'],
    ['http://0xA9FEA9FE/', 'BLOCKED_ADDRESS'],
    ['//[::ffff:169.254.169.254]/', 'BLOCKED_ADDRESS'],
  ])('a redirect to %s is not followed', async (location, code) => {
    const origin = await startOrigin({ '/a': redirect(location) });
    const error: unknown = await createDownloadRig()
      .download(jobFor(origin.url('/a')))
      .catch((error: unknown) => error);
    expect(error).toEqual(failed(code));
    expect(String(error)).not.toContain('secret');
  });

  test('a redirect without a Location is not followed', async () => {
    const origin = await startOrigin({ '/a': status(302) });
    const download = createDownloadRig().download(jobFor(origin.url('/a')));
    await expect(download).rejects.toEqual(failed('BAD_REDIRECT', { httpStatus: 302 }));
  });

  test('a redirect may lead from http to https, never from https to http', async () => {
    setDefaultCACertificates([...getCACertificates('default'), TEST_AUTHORITY]);
    const secure = await startOrigin({ '/b': file('b') }, { tls: VALID });
    const open = await startOrigin({ '/a': redirect(secure.url('/b', 'source.test')), '/c': file('c') });
    secure.on('/d', redirect(open.url('/c', 'source.test')));
    const rig = createDownloadRig();
    expect(await rig.download(jobFor(open.url('/a', 'source.test')))).toMatchObject({ state: 'done' });
    const down = rig.download(jobFor(secure.url('/d', 'source.test')));
    await expect(down).rejects.toEqual(failed('INSECURE_REDIRECT', { httpStatus: 302 }));
    expect(pathsOf(open)).toEqual(['/a']);
  });
});

test.each(['ftp://source.test/', 'file:///etc/passwd', 'http://user:secret@source.test/', 'no URL', 'http://a:0/'])(
  'the URL %s is not requested',
  async (url) => {
    const error: unknown = await createDownloadRig()
      .download(jobFor(url))
      .catch((error: unknown) => error);
    expect(error).toEqual(failed('INVALID_URL'));
    expect(String(error)).not.toContain('secret');
  },
);
