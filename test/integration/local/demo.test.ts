import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tempFolder } from '../../helpers/temp-folder.ts';

const DEMO = fileURLToPath(new URL('../../../examples/demo.ts', import.meta.url));

async function startDemo() {
  const folder = await tempFolder();
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, [DEMO], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => output.push(line));
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    // The demo stops what it started.
    child.kill('SIGTERM');
    await exited;
  });
  return { child, folder, output, exited };
}

describe('the demo', () => {
  it('downloads from servers that misbehave, compares every file with its source, and says where they are', async () => {
    const { folder, output, exited } = await startDemo();
    const code = await exited;
    expect({ code, output }).toMatchObject({ code: 0 });
    const text = output.join('\n');
    expect(text).not.toContain('NOT AS EXPECTED');
    expect(text).toMatch(/^Done: +1204 files, 3\d\d MB/m);
    expect(text).toMatch(/^Failed: +4 files/m);
    expect(text).toContain(`The files are in ${folder}`);
    for (const line of output.filter((line) => line.includes('%'))) expect(line.length).toBeLessThan(80);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const { child, folder, output, exited } = await startDemo();
    while (!output.some((line) => line.includes('%'))) await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await exited).toBe(130);
    expect(output.join('\n')).toContain('is removed');
    expect(await readdir(folder)).toEqual([]);
  });
});
