import { coldStart } from './cold-start.ts';
import type { Benchmark } from './harness/benchmark.ts';
import { large } from './large.ts';
import { latency, polite } from './latency.ts';
import { memory } from './memory.ts';
import { s3 } from './s3.ts';
import { scale } from './scale.ts';
import { small } from './small.ts';
import { files, status } from './status.ts';
import { submit } from './submit.ts';

/** All that compare, in the order in which they are run. */
export const benchmarks: readonly Benchmark[] = [
  small,
  large,
  latency,
  polite,
  s3,
  submit,
  status,
  files,
  memory,
  scale,
  coldStart,
];

/** What compares nothing and passes or fails by itself: a module of its own, run only by its name. */
export interface Script {
  name: string;
  about: string;
  module: URL;
}

export const scripts: readonly Script[] = [
  {
    name: 'split',
    about: 'One large file over 1, 16 and 64 connections from a source that is slow on each.',
    module: new URL('split.ts', import.meta.url),
  },
  {
    name: 'slow-store',
    about: 'The memory of 16 downloads of 256 MiB at once, into a store that is slower than their source.',
    module: new URL('slow-store.ts', import.meta.url),
  },
  {
    name: 'million',
    about: 'The life of a batch of a million tiny files on either host: half an hour.',
    module: new URL('million.ts', import.meta.url),
  },
  {
    name: 'http-clients',
    about: "What Node's HTTP clients make of sources that break the rules.",
    module: new URL('http-clients.ts', import.meta.url),
  },
];
