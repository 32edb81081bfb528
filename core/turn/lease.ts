import type { Service } from '../batch/service.ts';
import { closeAfter } from '../batch/close.ts';
import { endCancelled } from '../batch/control.ts';
import { ABROAD_RETRY_MS, LEASE_MS, LEASE_RETRY_MS, MAX_TICKET_WAIT_MS } from '../model/limits.ts';
import type { BatchRecord, ShardRecord } from '../model/records.ts';
import type { Delivery } from '../ports/tickets.ts';

/** How soon a ticket looks again at a batch that is still being planned, or at a record that others keep changing. */
const LOOK_AGAIN_MS = 5000;
const MAX_TRIES = 4;

/** A shard's lease, held by one turn. */
export interface Lease {
  batch: BatchRecord;
  shard: ShardRecord;
  /** Whether it was taken from an owner whose lease ran out. */
  crashed: boolean;
  /** Connections to any host whatever, once no shard works what was planned for it. */
  allowance: number | undefined;
}

/** A lease taken, or what becomes of the ticket instead. */
export type Acquired = Lease | 'acknowledge' | { visibleIn: number };

/**
 * Takes a shard's lease for one turn.
 *
 * @param turn a token of this turn: a lease that carries it is this turn's, whatever became of the answer
 */
export async function acquire(service: Service, { ticket, messageId }: Delivery, turn: string): Promise<Acquired> {
  const { ledger, clock } = service;
  const { batchId } = ticket;
  const batch = await ledger.getBatch(batchId);
  if (!batch || batch.closedAt !== undefined) return 'acknowledge';
  if (batch.state === 'planning') return { visibleIn: LOOK_AGAIN_MS };

  let shard = await ledger.getShard(batchId, ticket.shard);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    // Once a batch is planned all its shards are there: this ticket is nobody's.
    if (!shard) return 'acknowledge';
    if (shard.finishedAt !== undefined) {
      await closeAfter(service, shard);
      return 'acknowledge';
    }
    const now = clock.now();
    if (shard.owner && shard.leaseUntil > now) {
      // Another ticket's turn: this one is a spare. A second delivery of its own: it may be needed if the first died.
      if (shard.owner.ticket !== messageId) return 'acknowledge';
      return { visibleIn: shard.leaseUntil - now + LEASE_RETRY_MS };
    }
    if (batch.state === 'cancelling') {
      await endCancelled(service, batch, shard);
      await closeAfter(service, shard);
      return 'acknowledge';
    }
    const late = now >= batch.deadline;
    if (batch.state === 'paused' && !late) return 'acknowledge';
    if (shard.wakeAt > now && shard.abroad !== true && !late) return early(shard.wakeAt - now);

    const allowance = shard.abroad === true ? await allowanceAbroad(service, batch, shard) : undefined;
    if (allowance === 0 && !late) {
      await standBy(service, shard);
      return 'acknowledge';
    }

    const crashed = shard.owner !== undefined;
    const next: ShardRecord = {
      ...shard,
      rev: shard.rev + 1,
      epoch: shard.epoch + 1,
      crashes: shard.crashes + (crashed ? 1 : 0),
      owner: { ticket: messageId, turn },
      leaseUntil: clock.now() + LEASE_MS,
      ticketed: true,
    };
    shard = await takeLease(service, next);
    if (shard?.owner?.turn !== turn) continue;
    if (crashed) {
      const { epoch, crashes } = shard;
      service.meter?.('Crashes', 1);
      service.warn('a shard was taken over from a worker that died', { batchId, shard: shard.shard, epoch, crashes });
    }
    return { batch, shard, crashed, allowance };
  }
  return { visibleIn: LOOK_AGAIN_MS };
}

/** A ticket that comes before its time waits again; one that would wait too long leaves it to the sweeper. */
function early(waitMs: number): Acquired {
  return waitMs > MAX_TICKET_WAIT_MS ? 'acknowledge' : { visibleIn: waitMs };
}

/** Leaves a shard without a ticket until others leave it connections; the sweeper looks at it all the same. */
async function standBy({ ledger, clock }: Service, shard: ShardRecord): Promise<void> {
  const { rev, epoch } = shard;
  const wakeAt = clock.now() + ABROAD_RETRY_MS;
  await ledger.replaceShard({ ...shard, rev: rev + 1, epoch: epoch + 1, wakeAt, ticketed: false });
}

/** The record as it stands once the write has been tried; its owner tells whether it landed, be its answer lost or not. */
async function takeLease({ ledger }: Service, next: ShardRecord): Promise<ShardRecord | undefined> {
  if (await ledger.replaceShard(next).catch(() => false)) return next;
  return ledger.getShard(next.batchId, next.shard);
}

/**
 * How many connections a shard may have to any host when only entries are left whose redirects lead into other
 * shards' hosts: none while another shard still works what was planned for it; then every host's connections are
 * shared by the shards that are left. Shards only ever leave, so that an older look at them allows less.
 */
async function allowanceAbroad({ ledger }: Service, batch: BatchRecord, shard: ShardRecord): Promise<number> {
  const read = await ledger.readBatch(batch.id);
  const left = (read?.shards ?? []).filter((other) => other.finishedAt === undefined);
  if (left.some((other) => other.abroad !== true)) return 0;
  const share = Math.floor(batch.options.connectionsPerHost / left.length);
  if (share >= 1) return share;
  const rank = left.findIndex((other) => other.shard === shard.shard);
  return rank < batch.options.connectionsPerHost ? 1 : 0;
}
