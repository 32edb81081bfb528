/** A process that is an instance of one of the deployed functions: `node bench/function.ts NAME`, told by messages. */
import { parseNetworks } from '../core/download/address-guard.ts';
import { handler as api } from '../lambdas/api.ts';
import { entryPoint } from '../lambdas/environment.ts';
import { handler as planner } from '../lambdas/planner.ts';
import { handler as status } from '../lambdas/status.ts';
import { handler as sweeper } from '../lambdas/sweeper.ts';
import { workerOf } from '../lambdas/worker.ts';

export type FunctionName = 'api' | 'planner' | 'status' | 'sweeper' | 'worker';

/** An invocation, and how it ended. */
export interface Invocation {
  event: unknown;
  deadline: number;
}
export type Ending = { answer: unknown } | { error: string };

/** As it is deployed, but for the sources, which are on this machine. */
const worker = entryPoint((environment) =>
  workerOf({ ...environment, config: { ...environment.config, allowedNetworks: parseNetworks(['127.0.0.0/8']) } }),
);
const handlers = { api, planner, status, sweeper, worker } as Record<
  FunctionName,
  (event: unknown, context: { getRemainingTimeInMillis: () => number }) => Promise<unknown>
>;
const handler = handlers[process.argv[2] as FunctionName];

process.on('message', ({ event, deadline }: Invocation) => {
  handler(event, { getRemainingTimeInMillis: () => deadline - Date.now() }).then(
    (answer) => process.send?.({ answer } satisfies Ending),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? String(error.stack) : String(error) } satisfies Ending),
  );
});
process.on('disconnect', () => process.exit());
