/**
 * A process that submits a list from a file into a folder, as the embedded host does, up to its tickets: `process.ts LIST
 * FOLDER`.
 */
import { createReadStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createFileStore } from '../../adapters/files/file-store.ts';
import { createSqliteLedger } from '../../adapters/sqlite/ledger.ts';
import { createSqliteTickets } from '../../adapters/sqlite/tickets.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import { submitBatch } from '../../core/batch/submit.ts';
import { readList } from '../../core/lists/formats.ts';
import { MAX_LIST_BYTES } from '../../core/model/limits.ts';
import { limitsFor } from '../../local/stores.ts';

/** What became of the list. */
export interface Report {
  state: string | undefined;
  total: number;
  shards: number;
  tickets: number;
}

/** They are looked at once. */
const HIDDEN_MS = 60_000;

const [list = '', folder = ''] = process.argv.slice(2);
const state = createFileStore({
  root: `${folder}/objects`,
  tempRoot: `${folder}/temp`,
  metadataRoot: `${folder}/meta`,
});
using ledger = createSqliteLedger(`${folder}/ledger.sqlite`);
using tickets = createSqliteTickets(`${folder}/tickets.sqlite`, systemClock);
const service = {
  ledger,
  tickets,
  state,
  files: state,
  clock: systemClock,
  random: Math.random,
  limits: limitsFor(availableParallelism()),
  announce: () => Promise.resolve(),
  warn: console.error,
};
const items = readList(createReadStream(list), 'text', MAX_LIST_BYTES);
const id = await submitBatch(service, { items, options: {}, headers: {} });
const batch = await ledger.getBatch(id);
const shards = batch?.shardCount ?? 0;
// One more than there must be.
const deliveries = await tickets.receive(shards + 1, HIDDEN_MS);
process.send?.({
  state: batch?.state,
  total: batch?.total ?? 0,
  shards,
  tickets: deliveries.length,
} satisfies Report);
