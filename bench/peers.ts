import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contestant, Context, Measured } from './harness/benchmark.ts';
import { bundle } from './harness/bundle.ts';
import { measureCommand, type RunOptions } from './harness/measure.ts';
import { checkFiles, type FileSet } from './sources/files.ts';

/** Those who download a list into a folder, each as its user would call it, whole process, with as many connections. */

const FLOOR = new URL('floor.ts', import.meta.url);
/** Downburst's default, one per core, on the machine that is aimed at. */
export const WORKERS = 2;

/** A list and where its files go. */
export interface Job {
  urls: readonly string[];
  files: FileSet;
  /** An existing folder; each round has one of its own in it. */
  parent: string;
  /** At once. */
  connections: number;
  /** Looks at what else a round should have kept to, and adds its figures. Errors: it did not. */
  after?: (() => Promise<Measured['figures']>) | undefined;
}

/** A round of one contestant: `list` is a file of URLs, one a line; `target` an empty folder; `scratch` one for its own. */
interface Round extends RunOptions {
  job: Job;
  list: string;
  target: string;
  scratch: string;
}

type Run = (round: Round) => Promise<Measured>;

/** `downburst get`, as built, in a process of its own. */
export function downburst(context: Context, job: Job): Contestant {
  return contestant('Downburst', job, async ({ list, target, ...options }) => {
    const command = [await context.downburst(), 'get', list, '-o', target, '--quiet'];
    const connections = ['--connections-per-host', String(job.connections), '--workers', String(WORKERS)];
    const perFile = ['--connections-per-file', String(Math.min(16, job.connections))];
    const args = [...command, ...connections, ...perFile, '--allow-network', '127.0.0.0/8'];
    return measureCommand(process.execPath, args, options);
  });
}

/** The least that does the same by `node:http`: what no program by that can be faster than by much. */
export function floor(job: Job): Contestant {
  let script: Promise<URL> | undefined;
  return contestant('bare floor', job, async ({ list, target, ...options }) => {
    script ??= bundle(FLOOR, job.parent);
    const args = [fileURLToPath(await script), list, target, String(job.connections), String(WORKERS)];
    return measureCommand(process.execPath, args, options);
  });
}

export function aria2c(job: Job, connectionsPerFile = 1): Contestant {
  return peer('aria2c', job, ({ list, target, ...options }) => {
    const quiet = ['--no-conf', '--console-log-level=error', '--summary-interval=0', '--download-result=hide'];
    const connections = [
      '-j',
      String(job.connections),
      '-x',
      String(connectionsPerFile),
      '-s',
      String(connectionsPerFile),
    ];
    const args = ['-i', list, '-d', target, ...connections, '--file-allocation=none', ...quiet];
    return measureCommand('aria2c', args, options);
  });
}

export function wget2(job: Job): Contestant {
  return peer('wget2', job, ({ list, target, ...options }) =>
    measureCommand(
      'wget2',
      ['-q', '--no-config', '--no-hsts', '-i', list, '-P', target, `--max-threads=${job.connections}`],
      options,
    ),
  );
}

export function curl(job: Job): Contestant {
  return peer('curl', job, async ({ target, scratch, ...options }) => {
    const config = join(scratch, 'curl.conf');
    const lines = job.urls.map((url) => `url = "${url}"\noutput = "${join(target, basename(url))}"\n`);
    await writeFile(config, lines.join(''));
    const parallel = ['--parallel', '--parallel-max', String(job.connections)];
    return measureCommand('curl', ['-q', '-sS', '--fail', ...parallel, '-K', config], options);
  });
}

/** One process a file, as many at once as there may be connections: `copyurl` takes one URL, in most releases. */
export function rcloneCopyurl(job: Job): Contestant {
  return peer('rclone', job, async ({ target, scratch, ...options }) => {
    const pairs = join(scratch, 'pairs');
    await writeFile(pairs, job.urls.map((url) => `${url} ${join(target, basename(url))}\n`).join(''));
    const each = ['rclone', '--config', '/dev/null', 'copyurl'];
    return measureCommand('xargs', ['-a', pairs, '-n', '2', '-P', String(job.connections), ...each], options);
  });
}

function peer(executable: string, job: Job, run: Run): Contestant {
  return { ...contestant(executable, job, run), executables: [executable] };
}

function contestant(name: string, job: Job, run: Run): Contestant {
  return {
    name,
    async play(signal) {
      const folder = await mkdtemp(join(job.parent, 'round-'));
      try {
        const [target, scratch] = [join(folder, 'target'), join(folder, 'scratch')];
        for (const each of [target, scratch]) await mkdir(each);
        const list = join(scratch, 'list.txt');
        await writeFile(list, job.urls.map((url) => `${url}\n`).join(''));
        // Without what the user's own settings would have them do.
        const env = { PATH: process.env.PATH, HOME: scratch, TMPDIR: scratch };
        const measured = await run({ job, list, target, scratch, cwd: target, env, signal });
        const figures = await job.after?.();
        await checkFiles(target, job.files);
        return { ...measured, figures };
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}
