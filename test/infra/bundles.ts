import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { functionsOf, type Template } from './synth.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUNNER = fileURLToPath(new URL('fixtures/run-bundle.ts', import.meta.url));

export interface Bundle {
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
  for (const [name, { Metadata = {} }] of functionsOf(template)) {
    const asset = join(folder, Metadata['aws:asset:path'] ?? '');
    const file = join(asset, 'index.mjs');
    if (!(await readdir(asset)).includes('index.mjs.map')) throw new Error(`${name} has no source map.`);
    bundles.set(name, {
      file,
      bytes: (await stat(file)).size,
      gzippedBytes: gzipSync(await readFile(file)).length,
    });
  }
  return { template, bundles };
}

export interface Instance {
  /** What the import has begun: timers, sockets and the like. */
  begun: string[];
  /** The handler's answer; throws with what the handler has thrown. */
  invoke: (event: object) => Promise<unknown>;
  /** Ends it; answers all that it has written to its log. */
  end: () => Promise<string>;
}

/** What fixtures/run-bundle.ts sends. */
interface Message {
  begun?: string[];
  answer?: unknown;
  error?: string;
}

/** Runs a built function in a process of its own, as Lambda would; gone when the running test ends. */
export async function startInstance({ file }: Bundle, env: Record<string, string>): Promise<Instance> {
  const child = fork(RUNNER, [file], { env, execArgv: [], silent: true });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (log += text));
  }
  const closed = once(child, 'close');
  const end = async () => {
    child.kill('SIGKILL');
    await closed;
    return log;
  };
  onTestFinished(() => end().then(() => undefined));

  const message = async (): Promise<Message> => {
    const first = await Promise.race([once(child, 'message'), closed.then(() => undefined)]);
    if (!first) throw new Error(`The function's process has ended:\n${log}`);
    return first[0] as Message;
  };
  const { begun = [] } = await message();
  return {
    begun,
    end,
    async invoke(event) {
      const answered = message();
      child.send(event);
      const { answer, error } = await answered;
      if (error !== undefined) throw new Error(error);
      return answer;
    },
  };
}
