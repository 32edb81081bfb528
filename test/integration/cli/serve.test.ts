import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { serveCommand, type ServeFlags } from '../../../cli/commands/serve.ts';
import { UsageError } from '../../../cli/exit.ts';
import { readWebhook } from '../../../local/webhook.ts';
import { runMain } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

/** What the flags of `downburst serve` come to. */
function parse(args: readonly string[]): ServeFlags {
  const command = serveCommand({ version: '', threadScript: new URL('file:///none') });
  return command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .action(() => undefined)
    .parse(args, { from: 'user' })
    .opts<ServeFlags>();
}

describe('the flags of the service', () => {
  it('have defaults for a person at a machine: port 8787, ./data, a worker per core, public addresses only', () => {
    expect(parse([])).toEqual({ port: 8787, data: 'data', workers: availableParallelism(), allowNetwork: [] });
  });

  const secret = `whsec_${Buffer.alloc(32).toString('base64')}`;

  it('name who is told of closed batches, with a secret from a variable or a file', async () => {
    expect(parse(['--notify', 'https://example.com/hook?x=1']).notify).toBe('https://example.com/hook?x=1');
    expect(await readWebhook('http://127.0.0.1/', undefined, { DOWNBURST_NOTIFY_SECRET: secret })).toEqual({
      url: 'http://127.0.0.1/',
      secret: Buffer.alloc(32),
    });
    const file = join(await tempFolder(), 'secret');
    await writeFile(file, `${secret}\n`);
    expect(await readWebhook('http://127.0.0.1/', file, {})).toMatchObject({ secret: Buffer.alloc(32) });
  });

  it.each([
    [{}, undefined, 'DOWNBURST_NOTIFY_SECRET is not set'],
    [{ DOWNBURST_NOTIFY_SECRET: 'hush' }, undefined, 'DOWNBURST_NOTIFY_SECRET is not whsec_'],
    [{ DOWNBURST_NOTIFY_SECRET: secret }, '/nowhere/secret', '/nowhere/secret ENOENT'],
  ])('ask for a secret that can be used: %#', async (env, file, message) => {
    await expect(readWebhook('http://127.0.0.1/', file, env)).rejects.toThrow(message);
  });

  it('are taken in both notations, networks more than once', () => {
    const networks = ['--allow-network', '10.0.0.0/8', '--allow-network=fd00::/8'];
    expect(parse(['--port=0', '--data', 'x/y', '--workers=3', ...networks])).toEqual({
      port: 0,
      data: 'x/y',
      workers: 3,
      allowNetwork: ['10.0.0.0/8', 'fd00::/8'],
    });
  });

  it.each([
    [['--notify', 'example.com'], '--notify'],
    [['--notify', 'ftp://example.com/'], '--notify'],
    [['--notify', 'https://user:s3cr3t@example.com/'], '--notify'],
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
  ])('that cannot be used are refused in one sentence that names them: %j', (args, name) => {
    expect(() => parse(args)).toThrow(UsageError);
    expect(() => parse(args)).toThrow(name);
    expect(() => parse(args)).toThrow(/^[^\n]+\.$/);
    expect(() => parse(args)).not.toThrow('s3cr3t');
  });

  it.each([
    [['--prot', '80'], '--prot'],
    [['-p', '80'], '-p'],
    [['start'], 'start'],
    [['--port'], '--port'],
    [['--help=yes'], '--help'],
  ])('that there are not are named: %j', (args, name) => {
    expect(() => parse(args)).toThrow(CommanderError);
    expect(() => parse(args)).toThrow(name);
  });
});

describe('the command', () => {
  it('prints its usage to stdout', async () => {
    const help = await runMain(['--help']).exit;
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const flag of ['--port', '--data', '--workers', '--allow-network']) expect(help.stdout).toContain(flag);
  });

  it('ends with 2 and one line on stderr for a flag that it does not know', async () => {
    const { code, stdout, stderr } = await runMain(['--prot', '80']).exit;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]*--prot[^\n]*\n$/);
  });

  it('ends with 2 for a secret file without anybody to be told', async () => {
    const { code, stderr } = await runMain(['--notify-secret-file', 'x']).exit;
    expect({ code, stderr }).toEqual({ code: 2, stderr: '--notify-secret-file goes with --notify.\n' });
  });
});
