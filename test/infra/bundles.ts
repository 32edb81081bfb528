import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
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
  /** The modules that it is made of, from this project's root, as `core/batch/close.ts`. */
  modules: string[];
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
  const { sources } = JSON.parse(await readFile(`${file}.map`, 'utf8')) as { sources: string[] };
  const modules = sources.map((source) => relative(ROOT, resolve(folder, source)));
  return { folder, handler, file, bytes: code.length, gzippedBytes: gzipSync(code).length, modules };
}
