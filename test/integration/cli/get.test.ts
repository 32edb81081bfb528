import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { atTerminal, ON_LOOPBACK, runCommand, startCommand, type RunningCommand } from '../../helpers/command.ts';
import { startOrigin, type Origin } from '../../helpers/origin.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { until } from '../../helpers/until.ts';
import { fileBody, startFileOrigin } from '../local/file-origin.ts';

const get = (list: string, folder: string, ...flags: string[]) => ['get', list, '-o', folder, ...ON_LOOPBACK, ...flags];

/** The documents of an output of one JSON document a line. */
const documents = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function startHello(): Promise<Origin> {
  return startOrigin({ '*': ({ response }) => void response.end('hello') });
}

describe('downburst get', () => {
  it('stores files under their plain keys, tries again what failed, and skips what is there', async () => {
    const folder = await tempFolder();
    const out = join(folder, 'new', 'out');
    const origin = await startFileOrigin();
    const list = join(folder, 'list.txt');
    await writeFile(list, [...[1, 2, 3].map(origin.file), `${origin.url}/missing?token=s3cr3t`].join('\n'));

    const first = await runCommand(get(list, out, '--retry', '0'));
    expect(first).toMatchObject({ code: 1, stdout: '' });
    // One line per event, each with its time.
    for (const line of first.stderr.trimEnd().split('\n').slice(0, -1))
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+ \w+ /);
    expect(first.stderr).toMatch(/failed http:\S+\/missing\?… NOT_FOUND: the source answered 404/);
    expect(first.stderr).toMatch(/finished 3 files stored \(.*\), 1 failed \(NOT_FOUND 1\)/);
    expect(first.stderr).not.toContain('s3cr3t');
    const host = new URL(origin.url).host.replace(':', '_');
    expect(await readFile(join(out, host, '2.bin'))).toEqual(fileBody(2));
    expect((await stat(join(out, '.downburst'))).mode & 0o777).toBe(0o700);

    const requests = origin.requests();
    const second = await runCommand(get(list, out, '--retry', '0', '--json'));
    expect(second).toMatchObject({ code: 1, stderr: '' });
    expect(origin.requests()).toBe(requests + 1);
    const events = documents(second.stdout);
    expect(events.filter(({ event }) => event === 'file')).toHaveLength(4);
    expect(events.at(-1)).toMatchObject({ event: 'ended', batch: { done: 0, skipped: 3, failed: 1, pending: 0 } });
  });

  it('takes a packed list from standard input, and request headers, which it gives to no other site', async () => {
    const folder = await tempFolder();
    const origin = await startHello();
    const stdin = gzipSync(`url,key\n${origin.url('/a')},a.txt\n`);
    const headers = join(folder, 'headers');
    await writeFile(headers, 'Authorization: Bearer s3cr3t\n\nX-Second: 2\n');
    const flags = ['--input-format', 'csv', '-H', 'X-First: 1', '-H', `@${headers}`, '-q'];
    expect(await runCommand(get('-', folder, ...flags), { stdin })).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(origin.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer s3cr3t',
      'x-first': '1',
      'x-second': '2',
    });
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('hello');
  });

  it('uploads a list that is too large for a body, and lets the entries that can be used go on', async () => {
    const folder = await tempFolder();
    const origin = await startHello();
    const list = join(folder, 'list.ndjson');
    const padding = `# ${'x'.repeat(100_000)}`;
    const lines = [JSON.stringify(origin.url('/a')), '"nowhere"', ...Array<string>(45).fill(JSON.stringify(padding))];
    await writeFile(list, lines.join('\n'));
    const { code, stdout } = await runCommand(get(list, folder, '--skip-invalid', '--json'));
    expect(code).toBe(1);
    expect(documents(stdout).at(-1)).toMatchObject({ batch: { done: 1, failures: { INVALID_URL: 46 } } });
  });

  it('keeps its state to itself: no key of a list leads there', async () => {
    const folder = await tempFolder();
    const origin = await startHello();
    const stdin = `${JSON.stringify({ url: origin.url('/a'), key: '.downburst/ledger.sqlite' })}\n`;
    const { code, stderr } = await runCommand(get('-', folder, '--input-format', 'ndjson'), { stdin });
    expect(code).toBe(1);
    expect(stderr).toContain('KEY_CONFLICT');
  });

  it('pauses the unfinished list of a folder while it gets another one, and goes on with it when asked again', async () => {
    const folder = await tempFolder();
    const slow = await startFileOrigin();
    const quick = await startHello();
    slow.holdAfter(0);
    const first = startCommand(get(slow.file(1), folder));
    await until(() => slow.requests() > 0);

    const other = await runCommand(get(quick.url('/a'), folder));
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toBe(
      `Another Downburst uses ${folder}; stop it, or choose another folder with --output-dir.\n`,
    );

    first.kill('SIGKILL');
    await first.exit;
    const before = slow.requests();
    expect(await runCommand(get(quick.url('/a'), folder, '-q'))).toMatchObject({ code: 0 });
    expect(slow.requests()).toBe(before);
    slow.release();
    expect(await runCommand(get(slow.file(1), folder, '-q'))).toMatchObject({ code: 0 });
  });

  it('ends at its quota and says how to go on', async () => {
    const folder = await tempFolder();
    const origin = await startFileOrigin();
    origin.holdAfter(1);
    const stdin = [1, 2, 3, 4].map((n) => origin.file(n)).join('\n');
    const paused = await runCommand(get('-', folder, '--quota', '1'), { stdin });
    expect(paused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/go on with a larger --quota\.\n$/) as unknown,
    });
    origin.release();
    expect(await runCommand(get('-', folder, '--quota', '1G', '-q'), { stdin })).toMatchObject({ code: 0 });
  });

  it('shows what it would do and writes nothing', async () => {
    const folder = await tempFolder();
    const out = join(folder, 'out');
    const { code, stdout } = await runCommand([
      ...get('https://example.com/a.txt', out, '-n'),
      'https://example.com/b.txt',
      'https://example.org/c.txt',
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain('3 files of 2 hosts, in 1 shard.');
    expect(stdout).toContain('https://example.com  2 files, at most 2 connections');
    expect(stdout).toContain('  example.com/b.txt\n');
    expect(stdout).toMatch(/^About 1 s and 3.15 MB, if$/m);
    expect(await readdir(folder)).toEqual([]);
  });

  it('ends with 2 for a list with lines that cannot be used, which it names, and starts nothing', async () => {
    const folder = await tempFolder();
    const origin = await startHello();
    const stdin = `${origin.url('/a')}\nftp://example.com/\u001b]0;title\u0007\n`;
    const { code, stderr } = await runCommand(get('-', folder), { stdin });
    expect({ code, requests: origin.requests.length }).toEqual({ code: 2, requests: 0 });
    expect(stderr).toContain('nothing was started');
    expect(stderr).toMatch(/^ {2}line 2, url 'ftp:.*' is neither http nor https$/m);
    expect(stderr).not.toContain('\u001b');
  });
});

describe('downburst get, interrupted', () => {
  it('by Ctrl-C twice and by kill -9 once fetches nothing twice but what was in flight or after the last checkpoint', async () => {
    const FILES = 400;
    const CONNECTIONS = 16;
    const folder = await tempFolder();
    /** Paths that were asked for since the last interruption, and those that were asked for before it already. */
    let asked = new Set<string>();
    const askedBefore = new Set<string>();
    const askedTwice: string[] = [];
    const again = () => [...asked].filter((path) => askedBefore.has(path));
    /** Answers that are held back, by their paths. */
    const held = new Map<string, () => void>();
    let left = 0;
    const origin = await startOrigin({
      '*': ({ request, response }) => {
        const path = request.url ?? '';
        if (asked.has(path)) askedTwice.push(path);
        asked.add(path);
        const answer = () => void response.end(path);
        if (left-- > 0) answer();
        else held.set(path, answer);
      },
    });
    const stdin = Array.from({ length: FILES }, (_, n) => origin.url(`/${n}.txt`)).join('\n');

    /** Lets so many more be answered, and waits until all connections wait for more. */
    async function answer(answers: number): Promise<void> {
      const waiting = [...held.values()];
      held.clear();
      left = answers - waiting.length;
      for (const go of waiting) go();
      await until(() => held.size === CONNECTIONS);
    }

    /** Answers what may be asked for again: what is in flight. */
    async function interrupted({ exit, kill }: RunningCommand, signal: NodeJS.Signals): Promise<string[]> {
      const inFlight = [...held.keys()];
      kill(signal);
      const { code, stderr } = await exit;
      if (signal === 'SIGINT') {
        expect(code).toBe(130);
        expect(stderr).toContain('Run the same command again to go on.');
      }
      for (const path of asked) askedBefore.add(path);
      asked = new Set();
      held.clear();
      return inFlight;
    }

    let mayComeAgain: string[] = [];
    for (let run = 0; run < 2; run++) {
      const command = startCommand(get('-', folder), { stdin });
      await answer(100);
      expect(mayComeAgain).toEqual(expect.arrayContaining(again()));
      mayComeAgain = await interrupted(command, 'SIGINT');
    }

    const killed = startCommand(get('-', folder, '--json'), { stdin });
    await answer(50);
    expect(mayComeAgain).toEqual(expect.arrayContaining(again()));
    // Outcomes are told once a checkpoint has them.
    const open = [...mayComeAgain.filter((path) => !asked.has(path)), ...held.keys()];
    const settled = [...askedBefore, ...asked].filter((path) => !open.includes(path));
    const tellsOf = (path: string) => killed.output().includes(`"url":${JSON.stringify(origin.url(path))}`);
    await until(() => settled.every(tellsOf));
    await answer(60);
    await interrupted(killed, 'SIGKILL');
    mayComeAgain = [...askedBefore].filter((path) => !settled.includes(path));

    left = Infinity;
    const last = await runCommand(get('-', folder, '--json'), { stdin });
    expect(last.code).toBe(0);
    expect(documents(last.stdout).at(-1)).toMatchObject({ batch: { total: FILES, done: FILES, pending: 0 } });
    expect(askedTwice).toEqual([]);
    expect(again()).not.toEqual([]);
    expect(mayComeAgain).toEqual(expect.arrayContaining(again()));
    const host = `127.0.0.1_${origin.port}`;
    expect(await readdir(join(folder, host))).toHaveLength(FILES);
    expect(await readFile(join(folder, host, '399.txt'), 'utf8')).toBe('/399.txt');
  });
});

describe('downburst get at a terminal', () => {
  it('paints a bar, speeds and failures within 80 columns, and obeys nothing that a source says', async () => {
    const folder = await tempFolder();
    const origin = await startHello();
    const evil = `${origin.url('/x')}${'y'.repeat(200)}/%1b%5d0;title%07`;
    const list = join(folder, 'list.txt');
    await writeFile(list, [1, 2, 3, 4].map((n) => origin.url(`/${n}`)).join('\n') + `\n${evil}\n`);
    origin.on(new URL(evil).pathname, ({ response }) => void response.writeHead(404).end());
    const command = `${process.execPath} cli/downburst.ts ${get(list, join(folder, 'out')).join(' ')}`;
    const run = (env: NodeJS.ProcessEnv) =>
      runCommand([], { program: atTerminal(command), env: { TERM: 'xterm-256color', ...env } });
    const { code, stdout } = await run({});
    expect(code).toBe(1);
    const painted = stdout.split('\r\n').map((line) => line.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, ''));
    for (const line of painted.slice(
      0,
      painted.findIndex((line) => line.startsWith('failed  ')),
    ))
      expect(line.length).toBeLessThan(80);
    expect(stdout).toContain('█');
    expect(stdout).toMatch(/\u001b\[36m/);
    expect(painted).toContain('failed: NOT_FOUND 1');
    expect(painted).toContain(`worst hosts: 127.0.0.1:${origin.port} 1`);
    expect(stdout).toMatch(/100 %[^\n]*5 of 5 files/);
    // The cursor is there again.
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'));

    const plain = await run({ NO_COLOR: '1' });
    expect(plain.stdout).not.toMatch(/\u001b\[\d+m/);
  });
});
