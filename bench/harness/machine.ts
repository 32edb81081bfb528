import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { cpus, release, totalmem, type as systemName } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** The machine in one line. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = (totalmem() / 1e9).toFixed(0);
  return `${processors.length} × ${model}, ${gigabytes} GB, ${systemName()} ${release()}, Node ${process.versions.node}`;
}

/**
 * Where a program is; undefined if it is not installed.
 *
 * @param moreFolders looked at behind the path, for what is not run by its bare name
 */
export async function findExecutable(name: string, moreFolders: readonly string[] = []): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...moreFolders]) {
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

/** The version that a program tells of itself. */
export async function versionOf(path: string): Promise<string> {
  // nginx knows one spelling only, and tells it to standard error.
  const { stdout, stderr } = await promisify(execFile)(path, [path.endsWith('/nginx') ? '-v' : '--version']).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  return /\d+(\.\d+)+[\w.-]*/.exec(stdout + stderr)?.[0] ?? 'of an unknown version';
}
