import { describe, expect, test } from 'vitest';
import { createDownloadRig, jobFor } from '../../helpers/download.ts';
import { file, redirect } from '../../helpers/origin-answers.ts';
import { startOrigin } from '../../helpers/origin.ts';

const failed = (code: string, fields: object = {}) =>
  expect.objectContaining({ name: 'DownloadError', code, ...fields }) as unknown;

describe('redirects', () => {
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
