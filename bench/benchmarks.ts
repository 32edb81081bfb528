import type { Benchmark } from './harness/benchmark.ts';
import { large } from './large.ts';
import { latency, polite } from './latency.ts';
import { small } from './small.ts';

/** All benchmarks, in the order in which they are run. */
export const benchmarks: readonly Benchmark[] = [small, large, latency, polite];
