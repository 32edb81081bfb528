import { availableParallelism } from 'node:os';
import { Option } from 'commander';
import { collect, network, wholeNumber } from './values.ts';

/** Threads beyond the cores win nothing, and each takes its own memory. */
const MAX_WORKERS = 64;

/** Flags of every command that downloads on this machine. */
export function workerOptions(): Option[] {
  return [
    new Option('--workers <n>', `worker threads, 1 to ${MAX_WORKERS}`)
      .default(Math.min(availableParallelism(), MAX_WORKERS), 'one per core')
      .argParser(wholeNumber('--workers', { min: 1, max: MAX_WORKERS })),
    new Option(
      '--allow-network <cidr>',
      'also download from this network, such as 127.0.0.0/8 or 10.1.0.0/16; may be repeated',
    )
      .default([], 'public addresses only')
      .argParser(collect(network('--allow-network'))),
  ];
}
