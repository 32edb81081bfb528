import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFlags, UsageError } from '../../../local/flags.ts';
import { runMain } from '../../helpers/service.ts';

describe('flags', () => {
  it('have defaults for a person at a machine: port 8787, ./data, a worker per core, public addresses only', () => {
    expect(parseFlags([])).toEqual({
      port: 8787,
      dataFolder: resolve('data'),
      workers: availableParallelism(),
      allowedNetworks: [],
    });
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
