import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WORKER_NODE_OPTIONS } from '../adapters/aws/settings.ts';
import {
  fasterThan,
  residentAtMost,
  type Aim,
  type Benchmark,
  type Contestant,
  type Context,
} from './harness/benchmark.ts';
import { bundle } from './harness/bundle.ts';
import { inSequence, measureCommand } from './harness/measure.ts';
import { startDeployment, type Deployment } from './s3/deployment.ts';
import { FILES_BUCKET, type Job } from './s3/job.ts';
import { startEndpoint, type Endpoint } from './s3/start-endpoint.ts';
import type { FileSet } from './sources/files.ts';
import { startSource, urlsOf, type Source } from './sources/source.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
/** Of a shard that works one host (`DEPLOYED_LIMITS`), and a host's by default. */
const CONNECTIONS = 16;
/** As Downburst cuts a file of 1 GiB. */
const PART_BYTES = 8 * MIB;

const MODULES = ['worker', 'plain', 'bound'].map((name) => new URL(`s3/${name}.ts`, import.meta.url));

/** What a worker of a deployment does for its money. */
export const s3: Benchmark = {
  name: 's3',
  about: "The worker's function and others that fetch and store into S3: 10,000 files of 20 KiB, 1 of 1 GiB.",
  rounds: 3,
  async *cases(context) {
    const isFull = context.size === 'full';
    await using endpoint = await startEndpoint();
    await using deployment = await startDeployment(endpoint.url);
    const folder = join(context.memoryFolder, 's3');
    for (const module of MODULES) await bundle(module, folder);
    const sets: { files: FileSet; partBytes?: number; aims: Aim[] }[] = [
      {
        files: { count: isFull ? 10_000 : 20, bytes: 20 * KIB },
        aims: [fasterThan('plain handler', 2), fasterThan('bare bound', 0.6), residentAtMost(250)],
      },
      {
        files: { count: 1, bytes: (isFull ? 1024 : 16) * MIB },
        partBytes: PART_BYTES,
        aims: [fasterThan('plain handler', 1.5), residentAtMost(200)],
      },
    ];
    for (const { files, partBytes, aims } of sets) {
      await using source = await startSource(context, files);
      const job = {
        ...{ source: source.url, endpoint: endpoint.url, ...files, connections: CONNECTIONS, partBytes },
        region: deployment.env.AWS_REGION ?? '',
        accessKeyId: deployment.env.AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: deployment.env.AWS_SECRET_ACCESS_KEY ?? '',
      };
      const stage = { context, folder, files, source, endpoint, deployment, job };
      const size = files.bytes >= MIB ? `${files.bytes / MIB} MiB` : `${files.bytes / KIB} KiB`;
      yield {
        title: `${files.count.toLocaleString('en')} × ${size} into S3`,
        notes: [
          source.note,
          endpoint.note,
          `${CONNECTIONS} connections; source and endpoint share the processors with each; ms/file is its own CPU time`,
        ],
        contestants: [
          worker(stage),
          script('plain handler', 'plain', stage),
          downloadThenCopy(stage),
          script('bare bound', 'bound', stage),
        ],
        aims,
      };
    }
  },
};

interface Stage {
  context: Context;
  /** Of the bundles. */
  folder: string;
  files: FileSet;
  source: Source;
  endpoint: Endpoint;
  deployment: Deployment;
  job: Job;
}

/** The function with its event, from a cold start; the batch has been planned before. */
function worker(stage: Stage): Contestant {
  const { folder, files, source, deployment } = stage;
  return contestant('Downburst', stage, async (signal) => {
    const { id, event } = await deployment.submit(urlsOf(source, files));
    const env = { ...deployment.env, NODE_OPTIONS: WORKER_NODE_OPTIONS };
    const args = [join(folder, 'worker.mjs'), JSON.stringify(event)];
    const measured = await measureCommand(process.execPath, args, { env, signal });
    await deployment.acknowledge(event);
    const { done, state } = await deployment.status(id);
    if (done !== files.count || state !== 'finished')
      throw new Error(`The batch is ${state}, with ${done} files done.`);
    return measured;
  });
}

function script(name: string, module: string, stage: Stage): Contestant {
  return contestant(name, stage, (signal) =>
    measureCommand(process.execPath, [join(stage.folder, `${module}.mjs`), JSON.stringify(stage.job)], {
      env: { PATH: process.env.PATH },
      signal,
    }),
  );
}

/** First all into memory, then all into S3. */
function downloadThenCopy(stage: Stage): Contestant {
  const { context, files, source, job } = stage;
  const run: Run = async (signal) => {
    const folder = await mkdtemp(join(context.memoryFolder, 'round-'));
    try {
      const list = join(folder, 'list.txt');
      const target = join(folder, 'files');
      await mkdir(target);
      await writeFile(
        list,
        urlsOf(source, files)
          .map((url) => `${url}\n`)
          .join(''),
      );
      const perFile = String(files.count === 1 ? CONNECTIONS : 1);
      const quiet = ['--no-conf', '--console-log-level=error', '--summary-interval=0', '--download-result=hide'];
      const many = ['-j', String(CONNECTIONS), '-x', perFile, '-s', perFile];
      const load = ['-i', list, '-d', target, ...many, '--file-allocation=none', ...quiet];
      // Without what the user's own settings would have them do.
      const clean = { PATH: process.env.PATH, HOME: folder };
      const downloaded = await measureCommand('aria2c', load, { env: clean, signal });
      const env = {
        ...clean,
        RCLONE_S3_PROVIDER: 'Other',
        RCLONE_S3_ENDPOINT: job.endpoint,
        RCLONE_S3_REGION: job.region,
        RCLONE_S3_ACCESS_KEY_ID: job.accessKeyId,
        RCLONE_S3_SECRET_ACCESS_KEY: job.secretAccessKey,
        RCLONE_S3_NO_CHECK_BUCKET: 'true',
        RCLONE_S3_UPLOAD_CONCURRENCY: String(CONNECTIONS),
      };
      const copy = ['--config', '/dev/null', 'copy', target, `:s3:${FILES_BUCKET}`, '--transfers', String(CONNECTIONS)];
      return inSequence(downloaded, await measureCommand('rclone', copy, { env, signal }));
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  return { ...contestant('aria2c & rclone', stage, run), executables: ['aria2c', 'rclone'] };
}

type Run = Contestant['play'];

/** Checks by the endpoint's own count that all files came, whole. */
function contestant(name: string, { endpoint, files }: Stage, run: Run): Contestant {
  return {
    name,
    async play(signal) {
      await endpoint.clear();
      const measured = await run(signal);
      const { objects, leastBytes, mostBytes, refused, openUploads } = await endpoint.tally();
      if (objects !== files.count || leastBytes !== files.bytes || mostBytes !== files.bytes) {
        throw new Error(`${objects} of ${files.count} objects came, of ${leastBytes} to ${mostBytes} bytes.`);
      }
      if (refused + openUploads > 0)
        throw new Error(`${refused} bodies were spoilt, ${openUploads} uploads not ended.`);
      await endpoint.clear();
      const { cpuMs } = measured;
      return { ...measured, ...(cpuMs !== undefined && { figures: { 'ms/file': cpuMs / files.count } }) };
    },
  };
}
