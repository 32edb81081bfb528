import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createSqliteTickets } from '../../../adapters/sqlite/tickets.ts';
import { submitBatch } from '../../../core/batch/submit.ts';
import { recoverAfterRestart } from '../../../core/batch/sweep.ts';
import { parseNetworks } from '../../../core/download/address-guard.ts';
import { createByteBudget } from '../../../core/download/byte-budget.ts';
import { createDownloader } from '../../../core/download/create-downloader.ts';
import { runTurn, type TurnDeps } from '../../../core/turn/turn.ts';
import { foldersIn, limitsFor, makeFolders, openStores, removeLeftovers } from '../../../local/stores.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';

/**
 * A worker of the embedded host in a process of its own, over plain files and SQLite: submits one file unless that was
 * done, and works until the batch is closed. Parts are small, and a second passes with each, so that every fifth brings a
 * checkpoint.
 */
const [root = '', url = '', partBytes = ''] = process.argv.slice(2);

const folders = foldersIn(root);
await makeFolders(folders);
const stores = openStores(folders);
const clock = createManualClock();
const tickets = createSqliteTickets(join(folders.state, 'driven-tickets.sqlite'), clock);
let passing = Promise.resolve();
const pass = (ms: number) => (passing = passing.then(() => clock.advance(ms)));

const files: typeof stores.files = {
  ...stores.files,
  async putPart(...call) {
    const part = await stores.files.putPart(...call);
    void pass(1000);
    return part;
  },
};
const downloader = createDownloader({
  files,
  clock,
  budget: createByteBudget(32 * 1024 ** 2),
  resolve: (hostname) => lookup(hostname, { all: true }),
  allowedNetworks: parseNetworks(['127.0.0.0/8']),
  leastPartBytes: Number(partBytes),
  splitBytes: 4 * Number(partBytes),
});
const deps: TurnDeps = {
  ...stores,
  files,
  clock,
  tickets,
  limits: limitsFor(1),
  announce: () => Promise.resolve(),
  warn: () => undefined,
  download: downloader.download,
};
const service = { ...deps, startPlanner: () => Promise.reject(new Error('No list is uploaded here.')) };

await removeLeftovers(folders, stores);
await recoverAfterRestart(service);
const [known] = await stores.ledger.listBatches({ limit: 1 });
const items = [{ line: 1, value: url }];
const id = known?.id ?? (await submitBatch(service, { items, options: { connectionsPerHost: 5 }, headers: {} }));
console.log(id);

const stop = new AbortController().signal;
while ((await stores.ledger.getBatch(id))?.closedAt === undefined) {
  const [delivery] = await tickets.receive(1, 75_000);
  if (!delivery) {
    await pass(1000);
    await setImmediate();
    continue;
  }
  const disposition = await runTurn(deps, delivery, { deadline: clock.now() + 86_400_000, stop });
  if (disposition === 'acknowledge') await tickets.acknowledge(delivery.receipt);
}
await downloader.close();
stores.close();
tickets.close();
