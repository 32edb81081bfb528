/**
 * What a deployment takes and costs for 10^4, 10^6 and 10^7 files of 100 KB and for 10^3 of 1 GB, by the model of
 * scale-model.ts, each beside what no deployment can do without; and where the overhead of a million small files goes.
 *
 *     node bench/fleet.ts
 */
import { forecast, type World } from './scale-model.ts';

const KB = 1000;
const GB = 1000 ** 3;

/** As deployed (lambdas/environment.ts). */
const DEPLOYED = { connectionsPerShard: 16, connectionsPerMixedShard: 64, maxShards: 1000, minEntriesPerShard: 200 };
const MAX_CONCURRENCY = 100;
/** The most overhead over the price of the PUTs of a million small files, by connections of a shard. */
const AIMS = [
  [16, 0.08],
  [64, 0.03],
] as const;

/** Files of one large source, and of a thousand, each with as many connections as a batch asks for. */
const SOURCES = [
  { hosts: 1, connectionsPerHost: 256 },
  { hosts: 1000, connectionsPerHost: 16 },
];
const LISTS = [
  { files: 1e4, fileBytes: 100 * KB },
  { files: 1e6, fileBytes: 100 * KB },
  { files: 1e7, fileBytes: 100 * KB },
  { files: 1e3, fileBytes: GB },
];

const worldOf = (files: number, fileBytes: number, hosts: number, connectionsPerHost: number, shard = 16): World => ({
  hosts,
  filesPerHost: files / hosts,
  fileBytes,
  limits: { ...DEPLOYED, connectionsPerHost, connectionsPerShard: shard },
  maxConcurrency: MAX_CONCURRENCY,
});

const percent = (part: number) => `${(100 * part).toFixed(2)} %`;
const dollars = (amount: number) => `$${amount.toFixed(amount < 1 ? 3 : 2)}`;
const time = (seconds: number) => (seconds < 600 ? `${Math.ceil(seconds)} s` : `${(seconds / 60).toFixed(0)} min`);

console.log('| files | sources | shards | time | slowest limit alone | dollars | PUTs alone | overhead |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const { files, fileBytes } of LISTS) {
  for (const { hosts, connectionsPerHost } of SOURCES) {
    const { shards, seconds, floors, slowest, cost, putDollars, overhead } = forecast(
      worldOf(files, fileBytes, hosts, connectionsPerHost),
    );
    const size = fileBytes === GB ? '1 GB' : '100 KB';
    const cells = [
      `${files.toLocaleString('en')} of ${size}`,
      `${hosts.toLocaleString('en')}, ${connectionsPerHost} connections each`,
      shards,
      time(seconds),
      `${time(floors[slowest])} (${slowest})`,
      dollars(cost.dollars),
      dollars(putDollars),
      percent(overhead.total),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

const parts = ['lambda', 'results', 'otherS3', 'dynamodb', 'sqs'] as const;
console.log(`\n| connections a shard | overhead | aim | ${parts.join(' | ')} |`);
console.log(`| ${Array.from({ length: 3 + parts.length }, () => '---').join(' | ')} |`);
for (const [connections, aim] of AIMS) {
  const { overhead } = forecast(worldOf(1e6, 100 * KB, 1, 256, connections));
  const cells = [connections, percent(overhead.total), percent(aim), ...parts.map((part) => percent(overhead[part]))];
  console.log(`| ${cells.join(' | ')} |`);
  if (overhead.total > aim) process.exitCode = 1;
}
