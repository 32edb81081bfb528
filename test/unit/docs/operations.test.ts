import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { costOf, type Cost } from '../../../core/cost/cost.ts';
import { estimate } from '../../../core/cost/estimate.ts';
import { AWS_PRICES } from '../../../core/cost/prices.ts';
import { usageOf, type Usage } from '../../../core/cost/usage.ts';
import { SWEEP_INTERVAL_MS, WORKER_MB } from '../../../core/model/limits.ts';
import { METRICS } from '../../../core/model/metrics.ts';
import { DEFAULT_OPTIONS } from '../../../core/model/options.ts';
import { plan } from '../../../core/plan/plan.ts';
import { DEPLOYED_LIMITS } from '../../../lambdas/environment.ts';

const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
/** Its lines, without the spaces that align tables. */
const lines = page.split('\n').map((line) => line.replaceAll(/ +/g, ' '));

const MILLION = 1e6;
/** Workers at once in a deployment that does not say. */
const MAX_TURNS = 100;
/** Of a list of plain URLs. */
const BYTES_PER_LINE = 120;

const count = (n: number) => Math.round(n).toLocaleString('en');
const dollars = (n: number, digits = 2) => `$${n.toFixed(digits)}`;
const row = (...cells: string[]) => `| ${cells.join(' | ')} |`;

interface Example {
  title: string;
  files: number;
  bytes: number;
  hosts: number;
  connectionsPerHost: number;
}

const EXAMPLES: Example[] = [
  {
    title: '1,000,000 files of 100 KB, 1,000 hosts',
    files: MILLION,
    bytes: 100e3,
    hosts: 1000,
    connectionsPerHost: 16,
  },
  {
    title: '1,000,000 files of 100 KB, one host, 256 connections',
    files: MILLION,
    bytes: 100e3,
    hosts: 1,
    connectionsPerHost: 256,
  },
  {
    title: '1,000,000 files of 100 KB, one host, 16 connections',
    files: MILLION,
    bytes: 100e3,
    hosts: 1,
    connectionsPerHost: 16,
  },
  { title: '1,000 files of 1 GB, 10 hosts', files: 1000, bytes: 1e9, hosts: 10, connectionsPerHost: 16 },
];

function costOfExample(example: Example): { shards: number; seconds: number; usage: Usage; cost: Cost } {
  const { files, bytes, hosts, connectionsPerHost } = example;
  const each = Array.from({ length: hosts }, (_, i) => ({ host: `host ${i}`, entries: files / hosts }));
  const shards = plan(each, { ...DEPLOYED_LIMITS, connectionsPerHost });
  const { seconds, work } = estimate({
    shards,
    bytesPerFile: () => bytes,
    manifestBytes: files * BYTES_PER_LINE,
    options: { ...DEFAULT_OPTIONS, connectionsPerHost, prefix: '', ownPrefix: true },
    maxTurns: MAX_TURNS,
  });
  const usage = usageOf(work, WORKER_MB);
  return { shards: shards.length, seconds, usage, cost: costOf(usage, AWS_PRICES) };
}

function timeOf(seconds: number): string {
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

test('docs/operations.md explains every metric as the code does, and no other', () => {
  const rows = lines.filter((line) => /^\| `[A-Z]\w+` \| (Count|Bytes|Milliseconds) /.test(line));
  const expected = Object.entries(METRICS).map(([name, { unit, statistic, meaning }]) =>
    row(`\`${name}\``, unit, statistic, meaning),
  );
  expect(rows).toEqual(expected);
});

test.each(EXAMPLES)('docs/operations.md says what $title cost, as the code does', (example) => {
  const { shards, seconds, cost } = costOfExample(example);
  const { lambda, s3, dynamodb, sqs } = cost.parts;
  const parts = [lambda, s3, dynamodb + sqs, cost.dollars].map((part) => dollars(part));
  const told = lines.filter((line) => line.startsWith(`| ${example.title} |`));
  expect(told).toEqual([row(example.title, count(shards), timeOf(seconds), ...parts)]);
});

test('docs/operations.md adds the first example up, as the code does', () => {
  const [example] = EXAMPLES;
  if (!example) throw new Error('There is no example.');
  const { usage, cost } = costOfExample(example);
  const of: [what: string, used: number, price: number][] = [
    ['PUTs of files, objects of state', usage.s3Writes, AWS_PRICES.s3Write],
    ['GETs of state', usage.s3Reads, AWS_PRICES.s3Read],
    ['GB-seconds of workers', usage.gbSeconds, AWS_PRICES.lambdaGbSecond],
    ['turns', usage.turns, AWS_PRICES.lambdaRequest],
    ['writes of records', usage.recordWrites, AWS_PRICES.dynamoWrite],
    ['reads of records', usage.recordReads, AWS_PRICES.dynamoRead],
    ['requests to the queue', usage.sqsRequests, AWS_PRICES.sqsRequest],
  ];
  const expected = of.map(([what, used, price]) =>
    row(what, count(used), dollars(price * MILLION, 3), dollars(used * price, 4)),
  );
  expect(lines.filter((line) => expected.includes(line))).toEqual(expected);
  expect(of.reduce((sum, [, used, price]) => sum + used * price, 0)).toBeCloseTo(cost.dollars, 5);
});

test('docs/operations.md adds up what doing nothing costs', () => {
  const sweeps = (30 * 24 * 60 * 60 * 1000) / SWEEP_INTERVAL_MS;
  /** The event source's five pollers, each asking for 20 s. */
  const polls = 5 * 3 * sweeps;
  /** A sweep of no batches takes about 100 ms of 512 MB. */
  const gbSeconds = sweeps * 0.1 * 0.5;
  /** Of a sweep: its metrics, and what Lambda says of the invocation. */
  const logGb = (sweeps * 1300) / 1e9;
  const of: [what: string, used: string, cost: number][] = [
    ['dashboard', '1', 3],
    ['alarms', '9', 9 * 0.1],
    ['metrics that the sweeper measures at every run', '2', 2 * 0.3],
    ["polls of the queue by Lambda's event source", count(polls), polls * AWS_PRICES.sqsRequest],
    ['GB-seconds of the sweeper', count(gbSeconds), gbSeconds * AWS_PRICES.lambdaGbSecond],
    ['GB of logs', logGb.toFixed(3), logGb * 0.5],
    ['runs of the sweeper', count(sweeps), sweeps * AWS_PRICES.lambdaRequest],
    ['reads of the list of open batches', count(sweeps), sweeps * AWS_PRICES.dynamoRead],
  ];
  const total = of.reduce((sum, [, , cost]) => sum + cost, 0);
  const expected = [
    ...of.map(([what, used, cost]) => row(what, used, dollars(cost))),
    `| together | | ${dollars(total)} |`,
  ];
  expect(lines.filter((line) => expected.includes(line))).toEqual(expected);
});

test('every link within docs/operations.md leads to one of its sections', () => {
  const anchors = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((anchor) => !anchors.includes(anchor ?? ''))).toEqual([]);
});
