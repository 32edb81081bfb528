import { InvalidOptionError, UnknownBatchError } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ShardRecord } from '../model/records.ts';
import { listResults, readResults } from './results.ts';
import type { Service } from './service.ts';

/** How far a reader has come: per shard the last `seq` read whole, and the lines read of the one after it. */
type Position = Record<number, [seq: number, lines: number]>;

/**
 * A page of outcomes. Outcomes come in the order in which each shard settled them; a reader that follows the cursors
 * of a running batch meets each outcome once. `nextCursor` is absent only when nothing more can come.
 *
 * @throws UnknownBatchError; InvalidOptionError for a cursor that is none
 */
export async function listOutcomes(
  { ledger, state }: Pick<Service, 'ledger' | 'state'>,
  batchId: string,
  query: { state?: Outcome['state'] | undefined; limit: number; cursor?: string | undefined },
): Promise<{ files: Outcome[]; nextCursor?: string }> {
  const position = query.cursor === undefined ? {} : decodeCursor(query.cursor);
  const read = await ledger.readBatch(batchId);
  if (!read) throw new UnknownBatchError(batchId);
  const files: Outcome[] = [];

  const readShard = async (shard: ShardRecord): Promise<void> => {
    let [after, passed] = position[shard.shard] ?? [0, 0];
    for (const { key, seq, failed } of await listResults(state, shard, after)) {
      const skip = query.state === 'failed' && failed === 0;
      for (const outcome of skip ? [] : (await readResults(state, key)).slice(passed)) {
        if (files.length === query.limit) return;
        passed += 1;
        if (query.state === undefined || outcome.state === query.state) files.push(outcome);
        position[shard.shard] = [after, passed];
      }
      [after, passed] = [seq, 0];
      position[shard.shard] = [after, passed];
    }
  };
  for (const shard of read.shards) {
    if (files.length === query.limit) break;
    await readShard(shard);
  }

  const complete =
    read.batch.closedAt !== undefined && read.shards.every(({ shard, seq }) => (position[shard]?.[0] ?? 0) === seq);
  return { files, ...(!complete && { nextCursor: encodeCursor(position) }) };
}

function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function decodeCursor(cursor: string): Position {
  const bad = () => new InvalidOptionError('cursor', 'is not one that was given out');
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw bad();
  }
  if (typeof position !== 'object' || position === null || Array.isArray(position)) throw bad();
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  for (const [shard, at] of Object.entries(position)) {
    const sound = isCount(Number(shard)) && Array.isArray(at) && at.length === 2 && at.every(isCount);
    if (!sound) throw bad();
  }
  return position as Position;
}
