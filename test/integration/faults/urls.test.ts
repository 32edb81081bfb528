import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createFileStore } from '../../../adapters/files/file-store.ts';
import { InvalidListError } from '../../../core/model/errors.ts';
import { createBatchRig, SECRET } from '../../helpers/batch-rig.ts';
import { watchClientSockets } from '../../helpers/client-sockets.ts';
import { file } from '../../helpers/origin-answers.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { expectOutcome } from './play.ts';

describe('URL', () => {
  const notations: [string, string][] = [
    ['IP in decimal', '2130706433'],
    ['IP in octal', '0177.0.0.01'],
    ['IP in hex', '0x7f000001'],
    ['IP in hex, part by part', '0x7f.0.0.0x1'],
    ['IP in short', '127.1'],
    ['IP in full-width digits', '１２７.０.０.１'],
    ['IP with a trailing dot', '127.0.0.1.'],
    ['IPv4-mapped IPv6', '[::ffff:127.0.0.1]'],
    ['IPv4-mapped IPv6 in hex', '[::ffff:7f00:1]'],
  ];

  test.each(notations)('%s: parsed, then checked: done where its network is allowed', async (_, host) => {
    const rig = await createBatchRig({ allowedNetworks: ['127.0.0.0/8'] });
    const origin = await rig.startOrigin({ '/a.txt': file('hello') });
    const { outcomes } = await rig.run([`http://${host}:${origin.port}/a.txt`]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
  });

  test.each([
    ...notations,
    ['NAT64', '[64:ff9b::7f00:1]'],
    ['6to4', '[2002:7f00:1::1]'],
    ['zone', '[::ffff:127.0.0.1]'],
  ])('%s: parsed, then checked: refused without a connection where it is not', async (_, host) => {
    const sockets = watchClientSockets();
    const rig = await createBatchRig({ allowedNetworks: [] });
    const { outcomes } = await rig.run([`http://${host}:8080/a.txt`]);
    expectOutcome({ rig, outcome: outcomes[0] }, { code: 'BLOCKED_ADDRESS', attempts: 1 });
    expect(sockets).toEqual([]);
  });

  test.each([
    ['a name with a trailing dot', 'http://source.test.:PORT/a.txt', 'source.test.'],
    ['a name in capitals', 'HTTP://SOURCE.Test:PORT/a.txt', 'source.test'],
    ['tabs and newlines', ' h\tttp://sou\nrce.test:PORT/a.t\r\nxt ', 'source.test'],
    ['Unicode host', 'http://bücher.test:PORT/a.txt', 'xn--bcher-kva.test'],
    ['a host of emoji', 'http://☃.test:PORT/a.txt', 'xn--n3h.test'],
    ['backslashes', 'http:\\\\source.test:PORT\\a.txt', 'source.test'],
    ['a fragment', `http://source.test:PORT/a.txt#${SECRET}`, 'source.test'],
  ])('%s: done', async (_, url, name) => {
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '/a.txt': file('hello') });
    const { outcomes } = await rig.run([url.replace('PORT', String(origin.port))]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
    expect(rig.lookUps).toEqual([name]);
  });

  test('8 KB long: done', async () => {
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '*': file('hello') });
    const url = origin.url('/');
    const { outcomes } = await rig.run([url + 'x'.repeat(8 * 1024 - url.length)]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
    expect(origin.requests[0]?.path).toHaveLength(8 * 1024 - url.length + 1);
  });

  test.each([
    ['user:password', `http://user:${SECRET}@source.test/`, 'has credentials in it; send them as a header'],
    ['user only', 'http://user@source.test/', 'has credentials in it; send them as a header'],
    ['port 0', 'http://source.test:0/', 'has port 0'],
    ['a port beyond all ports', 'http://source.test:65536/', 'is not an absolute URL, like https://example.com/file'],
    ['an address beyond all addresses', 'http://256.0.0.1/', 'is not an absolute URL, like https://example.com/file'],
    [
      'an IPv6 address with a zone',
      'http://[fe80::1%25eth0]/',
      'is not an absolute URL, like https://example.com/file',
    ],
    ['a NUL in the host', 'http://a\0b/', 'is not an absolute URL, like https://example.com/file'],
    ['more than 8 KB', `http://source.test/${'x'.repeat(8 * 1024)}`, 'is longer than 8192 bytes'],
    ['file:', 'file:///etc/passwd', 'is neither http nor https'],
    ['ftp:', 'ftp://source.test/', 'is neither http nor https'],
    ['no URL', '/a.txt', 'is not an absolute URL, like https://example.com/file'],
  ])('%s: refused, by line, before anything is started', async (_, url, reason) => {
    const rig = await createBatchRig();
    const error: unknown = await rig.run(['http://source.test/', url]).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InvalidListError);
    expect((error as InvalidListError).problems).toMatchObject([{ line: 2, field: 'url', reason }]);
    expect(JSON.stringify(error)).not.toContain(SECRET);
    expect(rig.service.state.objects.size).toBe(0);
  });
});

describe('path', () => {
  /** Each on its own line of one list. */
  const paths: Record<string, string[]> = {
    empty: [''],
    'of one slash': ['/?'],
    'of slashes': ['//', '///a.txt'],
    '..': ['/../../../../etc/passwd', '/a/../../../b.txt'],
    '%2e%2e': ['/%2e%2e/%2e%2e/%2e%2e/etc/hosts', '/%252e%252e/c.txt'],
    'encoded slashes': ['/..%2f..%2f..%2fetc%2fshadow', '/%2fetc%2fgroup'],
    backslash: ['/..\\..\\windows\\system.ini', '/..%5c..%5cboot.ini'],
    NUL: ['/d%00.txt', '/%00'],
    'other control characters': ['/e%0a%0d%1b.txt', '/f%7f.txt'],
    '2 KB segment': [`/${'g'.repeat(2048)}.txt`, `/${'%C3%A9'.repeat(340)}.txt`],
    'many segments': [`/${'h/'.repeat(1000)}i.txt`],
    emoji: ['/😀.png', '/%F0%9F%98%80/😀', '/👩‍👩‍👧.png'],
    'not UTF-8': ['/%ff%fe.txt', '/%C3.txt'],
    'two names that differ in case only': ['/Case.txt', '/case.txt'],
    'the same name in two queries': ['/same.txt?v=1', '/same.txt?v=2', '/same.txt'],
    'a name that is also a folder': ['/data', '/data/1', '/data/'],
    'names that a disk takes for its own': ['/CON', '/j.txt.', '/k.txt%20', '/.downburst', '/~'],
  };

  test.each(Object.entries(paths))('%s: a safe key, nothing written outside the prefix', async (_, list) => {
    const folder = await tempFolder();
    const root = join(folder, 'files');
    const files = createFileStore({ root, tempRoot: join(folder, 'temp'), metadataRoot: join(folder, 'headers') });
    const rig = await createBatchRig({ files });
    const origin = await rig.startOrigin({ '*': ({ request, response }) => void response.end(request.url) });
    const base = origin.url('');
    const { outcomes } = await rig.run([...list.map((path) => base + path)], {
      prefix: 'mine/',
      ifExists: 'overwrite',
    });
    expect(outcomes.map(({ state }) => state)).toEqual(list.map(() => 'done'));
    expect(new Set(outcomes.map(({ key }) => key.normalize('NFC'))).size).toBe(list.length);
    for (const { key, url } of outcomes) {
      const { pathname, search } = new URL(url);
      expect(await readFile(join(root, 'mine', key), 'utf8')).toBe(pathname + search);
    }
    const kept = await readdir(folder, { recursive: true, withFileTypes: true });
    const written = kept.filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(folder, 'headers')));
    expect(written).toHaveLength(list.length);
    for (const { parentPath } of written) expect(parentPath.startsWith(join(root, 'mine/'))).toBe(true);
  });

  test('all of them in one list: as many files as entries', async () => {
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '*': ({ request, response }) => void response.end(request.url) });
    const list = Object.values(paths).flat();
    const { outcomes } = await rig.run(list.map((path) => origin.url(path)));
    expect(outcomes.map(({ state }) => state)).toEqual(list.map(() => 'done'));
    expect(rig.store.objects.size).toBe(list.length);
    for (const key of rig.store.objects.keys()) expect(key).toMatch(/^[0-9a-f-]{36}\/127\.0\.0\.1_\d+\/[^/]/);
  });
});
