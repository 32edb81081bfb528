import type { Outcome } from '../../core/model/outcome.ts';
import type { ShardRecord } from '../../core/model/records.ts';
import type { Servers } from './servers.ts';

/** A promise of the design that was broken. */
export class Violation extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`);
    this.kind = kind;
  }
}

export function must(holds: boolean, kind: string, message: () => string): void {
  if (!holds) throw new Violation(kind, message());
}

/** The outcomes that a shard's record stands for: of each `seq`, the object of the highest epoch. */
export function outcomesOf(servers: Servers, record: ShardRecord): Outcome[] {
  const prefix = `batches/${record.batchId}/results/${String(record.shard).padStart(5, '0')}/`;
  const best = new Map<number, { epoch: number; body: Buffer }>();
  for (const [key, body] of servers.state) {
    if (!key.startsWith(prefix)) continue;
    const [seq = 0, epoch = 0] = key.slice(prefix.length).split('.').map(Number);
    if (seq <= record.seq && epoch > (best.get(seq)?.epoch ?? -1)) best.set(seq, { epoch, body });
  }
  return [...best.keys()].sort((a, b) => a - b).flatMap((seq) => parse(best.get(seq)?.body));
}

const parsed = new WeakMap<Buffer, Outcome[]>();

function parse(body: Buffer | undefined): Outcome[] {
  if (!body) return [];
  let outcomes = parsed.get(body);
  if (!outcomes) {
    outcomes = body
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Outcome);
    parsed.set(body, outcomes);
  }
  return outcomes;
}

/** What must hold of a shard after every change. */
export function checkShard(servers: Servers, batchId: string, shard: number): void {
  const record = servers.shards.get(`${batchId}/${shard}`);
  if (!record) return;
  const where = `shard ${shard}`;
  const outcomes = outcomesOf(servers, record);
  const indexes = outcomes.map((outcome) => outcome.index);
  must(new Set(indexes).size === indexes.length, 'outcome-twice', () => `${where}: ${indexes.join()}`);
  for (const state of ['done', 'failed', 'skipped'] as const) {
    const listed = outcomes.filter((outcome) => outcome.state === state).length;
    must(
      listed === record[state],
      'counts-differ',
      () => `${where}: ${state} ${record[state]}, listed ${listed}, seq ${record.seq}`,
    );
  }
  const settled = record.done + record.failed + record.skipped + record.cancelled;
  must(settled <= record.total, 'too-many', () => `${where}: ${settled} of ${record.total}`);
  if (record.finishedAt !== undefined) {
    must(settled === record.total, 'entry-lost', () => `${where} finished with ${settled} of ${record.total}`);
  }
  must(
    record.waiting === undefined || servers.state.has(record.waiting),
    'waiting-lost',
    () => `${where}: ${String(record.waiting)}`,
  );
  for (const { code, url } of outcomes) {
    if (code === 'INTERNAL') must(false, 'internal-error', () => url);
  }
}

/** Numbers of one batch's status that never go back. */
export function checkProgress(before: Record<string, number> | undefined, now: Record<string, number>): void {
  for (const [name, n] of Object.entries(before ?? {})) {
    must((now[name] ?? 0) >= n, 'counts-back', () => `${name} ${n} -> ${now[name] ?? 0}`);
  }
}
