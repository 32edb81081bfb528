import { InvalidOptionError, UnknownBatchError } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ShardRecord } from '../model/records.ts';
import type { ReadableFiles } from '../ports/file-links.ts';
import { linkOutcomes, type LinkedOutcome } from './links.ts';
import { listResults, parseOutcome, readResults } from './results.ts';
import type { Service } from './service.ts';

/** Requests to the store for one page at most, however few of the outcomes wanted they find: it is answered in time. */
const MAX_REQUESTS_PER_PAGE = 64;
/** Bytes of a page, about: Lambda answers with 6 MB at most, and some formats go as base64. */
const MAX_PAGE_BYTES = 3 * 1024 ** 2;
/** What an outcome takes besides its URL and key, and a link besides the key: the signature of a role's session. */
const OUTCOME_BYTES = 512;
const LINK_BYTES = 2048;

/** How far a reader has come in a shard: the last `seq` read whole, and the lines read of the one after it. */
interface Position {
  seq: number;
  lines: number;
}

/** Shards that are read with the batch; the others only if these have too little for a page, or the cursor is beyond them. */
const FIRST_SHARDS = 32;

/** The cursor that nothing was read up to. */
const BEGINNING = '0';

/**
 * A page of outcomes. Outcomes come in the order in which each shard settled them; a reader that follows the cursors
 * of a running batch meets each outcome once. A page may be short or empty; `nextCursor` is absent only when nothing
 * more can come.
 *
 * @param query `links`: the store that the outcomes are linked to; no links if left out
 * @throws UnknownBatchError; InvalidOptionError for a cursor that is none
 */
export async function listOutcomes(
  { ledger, state }: Pick<Service, 'ledger' | 'state'>,
  batchId: string,
  query: {
    state?: Outcome['state'] | undefined;
    limit: number;
    cursor?: string | undefined;
    links?: ReadableFiles | undefined;
  },
): Promise<{ files: LinkedOutcome[]; nextCursor?: string }> {
  const { cursor = BEGINNING } = query;
  const limit = cursor.split('-').length > FIRST_SHARDS ? undefined : FIRST_SHARDS;
  const read = await ledger.readBatch(batchId, limit);
  if (!read) throw new UnknownBatchError(batchId);
  const { batch } = read;
  let { shards } = read;
  let isWhole = shards.length !== limit || shards.length >= batch.shardCount;
  const positions = decodeCursor(cursor, batch.shardCount, shards);
  const at = ({ shard }: ShardRecord) => positions[shard] ?? { seq: 0, lines: 0 };

  const files: Outcome[] = [];
  let requests = 0;
  let bytes = 0;
  const hasRoom = () => files.length < query.limit && bytes < MAX_PAGE_BYTES;
  const isFull = () => !hasRoom() || requests >= MAX_REQUESTS_PER_PAGE;

  for (let i = 0; !isFull(); i++) {
    if (i === shards.length && !isWhole) {
      // With the batch again: if it is deleted meanwhile, its shards go after it.
      const all = await ledger.readBatch(batchId);
      if (!all) throw new UnknownBatchError(batchId);
      ({ shards } = all);
      isWhole = true;
    }
    const shard = shards[i];
    if (!shard) break;
    const position = at(shard);
    if (position.seq === shard.seq) continue;
    if (query.state !== undefined && shard[query.state] === 0) {
      // Most shards of a good batch have no failures to be looked for.
      Object.assign(position, { seq: shard.seq, lines: 0 });
      continue;
    }
    requests += 1;
    for await (const { key, seq, failed } of listResults(state, shard, position.seq)) {
      if (isFull()) break;
      if (query.state !== 'failed' || failed > 0) {
        const outcomes = await readResults(state, key);
        requests += 1;
        if (position.lines > outcomes.length) throw badCursor();
        for (const line of outcomes.slice(position.lines)) {
          if (!hasRoom()) break;
          position.lines += 1;
          const outcome = parseOutcome(line);
          if (query.state !== undefined && outcome.state !== query.state) continue;
          files.push(outcome);
          bytes += pageBytes(outcome, query.links !== undefined);
        }
        if (position.lines < outcomes.length) break;
      }
      position.seq = seq;
      position.lines = 0;
    }
  }

  const complete = batch.closedAt !== undefined && isWhole && shards.every((shard) => at(shard).seq === shard.seq);
  return {
    files: query.links ? await linkOutcomes(query.links, batch.options.prefix, files) : files,
    ...(!complete && { nextCursor: encodeCursor(positions) }),
  };
}

/** About what an outcome takes of a page; in a link a byte of the key may take three. */
function pageBytes({ url, key }: Outcome, linked: boolean): number {
  const keyBytes = Buffer.byteLength(key);
  return OUTCOME_BYTES + url.length + keyBytes + (linked ? LINK_BYTES + 3 * keyBytes : 0);
}

/** `12.340-7`: shard by shard the `seq`, and the lines after a dot. Short, since a thousand shards go into one URL. */
function encodeCursor(positions: readonly Position[]): string {
  const parts = positions.map(({ seq, lines }) => (lines > 0 ? `${seq}.${lines}` : `${seq}`));
  return parts.slice(0, 1 + parts.findLastIndex((part) => part !== '0')).join('-') || BEGINNING;
}

function decodeCursor(cursor: string, shardCount: number, shards: readonly ShardRecord[]): Position[] {
  const parts = cursor.split('-');
  // That of the beginning is one also before there are shards.
  if (cursor !== BEGINNING && parts.length > shardCount) throw badCursor();
  const newest = new Map(shards.map(({ shard, seq }) => [shard, seq]));
  return Array.from({ length: shardCount }, (_, shard) => {
    const match = /^(\d{1,8})(?:\.(\d{1,8}))?$/.exec(parts[shard] ?? '0');
    const position = { seq: Number(match?.[1]), lines: Number(match?.[2] ?? 0) };
    // Lines were read of an object that counts, or none.
    const last = position.seq + (position.lines > 0 ? 1 : 0);
    if (!match || last > (newest.get(shard) ?? 0)) throw badCursor();
    return position;
  });
}

function badCursor(): InvalidOptionError {
  return new InvalidOptionError('cursor', 'is not one that was given out');
}
