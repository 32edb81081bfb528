import { availableParallelism } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFlags, readWebhook, UsageError, type Flags } from '../../../local/flags.ts';
import { runMain } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

describe('flags', () => {
  it('have defaults for a person at a machine: port 8787, ./data, a worker per core, public addresses only', () => {
    expect(parseFlags([])).toEqual({
      port: 8787,
      dataFolder: resolve('data'),
      workers: availableParallelism(),
      allowedNetworks: [],
    });
  });

  const secret = `whsec_${Buffer.alloc(32).toString('base64')}`;

  it('name who is told of closed batches, with a secret from a variable or a file', async () => {
    const flags = parseFlags(['--notify', 'https://example.com/hook?x=1']) as Flags;
    expect(await readWebhook(flags, { DOWNBURST_NOTIFY_SECRET: secret })).toEqual({
      url: 'https://example.com/hook?x=1',
      secret: Buffer.alloc(32),
    });
    const file = join(await tempFolder(), 'secret');
    await writeFile(file, `${secret}\n`);
    const more = parseFlags(['--notify', 'http://127.0.0.1/', '--notify-secret-file', file]) as Flags;
    expect(await readWebhook(more, {})).toEqual({ url: 'http://127.0.0.1/', secret: Buffer.alloc(32) });
    expect(await readWebhook({}, {})).toBeUndefined();
  });

  it.each([
    [{}, undefined, 'DOWNBURST_NOTIFY_SECRET is not set'],
    [{ DOWNBURST_NOTIFY_SECRET: 'hush' }, undefined, 'DOWNBURST_NOTIFY_SECRET is not whsec_'],
    [{ DOWNBURST_NOTIFY_SECRET: secret }, '/nowhere/secret', '/nowhere/secret ENOENT'],
  ])('ask for a secret that can be used: %#', async (env, notifySecretFile, message) => {
    const reading = readWebhook({ notify: 'http://127.0.0.1/', notifySecretFile }, env);
    await expect(reading).rejects.toThrow(UsageError);
    await expect(reading).rejects.toThrow(message);
  });

  it('are taken in both notations, networks more than once', () => {
    const args = [
      '--port=0',
      '--data',
      'x/y',
      '--workers=3',
      '--allow-network',
      '10.0.0.0/8',
      '--allow-network=fd00::/8',
    ];
    expect(parseFlags(args)).toEqual({
      port: 0,
      dataFolder: resolve('x/y'),
      workers: 3,
      allowedNetworks: ['10.0.0.0/8', 'fd00::/8'],
    });
  });

  it.each([
    [['--prot', '80'], '--prot'],
    [['-p', '80'], '-p'],
    [['start'], 'start'],
    [['--notify', 'example.com'], '--notify'],
    [['--notify', 'ftp://example.com/'], '--notify'],
    [['--notify', 'https://user:s3cr3t@example.com/'], '--notify'],
    [['--notify-secret-file', 'x'], '--notify'],
    [['--port'], '--port'],
    [['--port', '--data'], '--port'],
    [['--port', '-1'], '--port'],
    [['--port=-1'], '--port'],
    [['--port='], '--port'],
    [['--port=80x'], '--port'],
    [['--port=65536'], '--port'],
    [['--port=1e3'], '--port'],
    [['--port=8.5'], '--port'],
    [['--workers=0'], '--workers'],
    [['--workers=65'], '--workers'],
    [['--workers=two'], '--workers'],
    [['--data='], '--data'],
    [['--allow-network=10.0.0.1'], '--allow-network'],
    [['--allow-network=10.0.0.0/33'], '--allow-network'],
    [['--allow-network=localhost'], '--allow-network'],
    [['--allow-network='], '--allow-network'],
    [['--help=yes'], '--help'],
  ])('that cannot be used are refused in one sentence that names them: %j', (args, name) => {
    const parse = () => parseFlags(args);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(name);
    expect(parse).toThrow(/^[^\n]+\.$/);
  });
});

describe('the command', () => {
  it('prints its usage and its version to stdout', async () => {
    const [help, version] = await Promise.all([runMain(['--help']).exit, runMain(['--version']).exit]);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const flag of ['--port', '--data', '--workers', '--allow-network']) expect(help.stdout).toContain(flag);
    expect(version).toMatchObject({ code: 0, stderr: '' });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('ends with 2 and one line on stderr for a flag that it does not know', async () => {
    const { code, stdout, stderr } = await runMain(['--prot', '80']).exit;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]*--prot[^\n]*\n$/);
  });
});
