import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';

/**
 * Bundles modules as functions are deployed (infra/functions.ts), so that none begins with the stripping of types: `name.ts` becomes
 * `name.mjs`.
 *
 * @returns where they are
 */
export async function bundle(modules: readonly URL[], folder: string): Promise<URL[]> {
  const entryPoints = modules.map((module) => fileURLToPath(module));
  await build({
    entryPoints,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
  });
  await stop();
  return entryPoints.map((path) => pathToFileURL(join(folder, `${basename(path, '.ts')}.mjs`)));
}
