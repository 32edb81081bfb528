import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build as bundle, stop, type Metafile } from 'esbuild';
import { functionsOf, type Template } from './synth.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A function's built code. */
export interface Bundle {
  /** What Lambda unpacks as `LAMBDA_TASK_ROOT`. */
  folder: string;
  /** As in `index.handler`. */
  handler: string;
  file: string;
  bytes: number;
  /** About what Lambda downloads. */
  gzippedBytes: number;
}

export interface Built {
  template: Template;
  /** By the functions' names. */
  bundles: Map<string, Bundle>;
}

/** Runs what `npm run synth` runs, into `folder`, without an AWS account and with no way to the network. */
export async function build(folder: string): Promise<Built> {
  const nowhere = 'http://127.0.0.1:9';
  const env: NodeJS.ProcessEnv = { ...process.env, HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere };
  for (const name of Object.keys(env)) if (name.startsWith('AWS_')) env[name] = undefined;
  const cdk = join(ROOT, 'node_modules/aws-cdk/bin/cdk');
  await promisify(execFile)(process.execPath, [cdk, 'synth', '--quiet', '--output', folder], { cwd: ROOT, env });

  const template = JSON.parse(await readFile(join(folder, 'Downburst.template.json'), 'utf8')) as Template;
  const bundles = new Map<string, Bundle>();
  for (const [name, { Metadata = {}, Properties }] of functionsOf(template)) {
    bundles.set(name, await bundleIn(join(folder, Metadata['aws:asset:path'] ?? ''), Properties.Handler));
  }
  return { template, bundles };
}

async function bundleIn(folder: string, handler: string): Promise<Bundle> {
  const file = join(folder, 'index.mjs');
  const code = await readFile(file);
  if (!(await readdir(folder)).includes('index.mjs.map')) throw new Error(`${file} has no source map.`);
  return { folder, handler, file, bytes: code.length, gzippedBytes: gzipSync(code).length };
}

/**
 * The modules that each function runs at every cold start, from this project's root: all but what is imported when it is
 * needed, and what the bundler leaves out.
 */
export async function eagerModules(names: readonly string[]): Promise<Map<string, string[]>> {
  const { metafile } = await bundle({
    entryPoints: names.map((name) => `lambdas/${name}.ts`),
    absWorkingDir: ROOT,
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    metafile: true,
    write: false,
    outdir: 'dist',
  });
  await stop();
  return new Map(names.map((name) => [name, eagerIn(metafile, name)]));
}

function eagerIn({ inputs, outputs }: Metafile, name: string): string[] {
  const eager = new Set<string>();
  const visit = (module: string) => {
    if (eager.has(module)) return;
    eager.add(module);
    for (const { path, kind, external } of inputs[module]?.imports ?? []) {
      if (external !== true && kind !== 'dynamic-import') visit(path);
    }
  };
  visit(`lambdas/${name}.ts`);
  const kept = outputs[`dist/${name}.js`]?.inputs ?? {};
  return [...eager].filter((module) => (kept[module]?.bytesInOutput ?? 0) > 0);
}
