/**
 * The worker's function for one event, as it is deployed, but for the sources, which are on this machine. Its entry point
 * is bundled as those of functions are.
 *
 *     node worker.mjs EVENT
 */
import type { Context, SQSEvent } from 'aws-lambda';
import { parseNetworks } from '../../core/download/address-guard.ts';
import { entryPoint } from '../../lambdas/environment.ts';
import { workerOf } from '../../lambdas/worker.ts';

/** What Lambda gives an invocation at the most. */
const TIME_LIMIT_MS = 15 * 60 * 1000;

const handler = entryPoint((environment) =>
  workerOf({ ...environment, config: { ...environment.config, allowedNetworks: parseNetworks(['127.0.0.0/8']) } }),
);
const deadline = performance.now() + TIME_LIMIT_MS;
const context = { getRemainingTimeInMillis: () => deadline - performance.now() } as Context;
const { batchItemFailures } = await handler(JSON.parse(process.argv[2] ?? '') as SQSEvent, context);
if (batchItemFailures.length > 0) throw new Error('The turn ended before its shard did.');
// As at the end of an instance: connections that are kept open hold nobody up.
process.exit();
