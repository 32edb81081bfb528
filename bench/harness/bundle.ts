import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';

/**
 * Bundles a module as functions are deployed (infra/functions.ts), so that it does not begin with the stripping of types.
 *
 * @returns where it is
 */
export async function bundle(module: URL, folder: string): Promise<URL> {
  const source = fileURLToPath(module);
  const outfile = join(folder, `${basename(source, '.ts')}.mjs`);
  await build({
    entryPoints: [source],
    outfile,
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
  return pathToFileURL(outfile);
}
