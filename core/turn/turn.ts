import { closeAfter } from '../batch/close.ts';
import { newToken } from '../batch/ids.ts';
import type { Service } from '../batch/service.ts';
import type { Download, FetchParts } from '../download/downloader.ts';
import { MAX_TICKET_RECEIVES, MAX_TICKET_WAIT_MS, TICKET_VISIBILITY_MS } from '../model/limits.ts';
import type { Delivery } from '../ports/tickets.ts';
import { createCheckpointer } from './checkpoint.ts';
import { help } from './help.ts';
import { createKeptUploads } from './kept-uploads.ts';
import { acquire } from './lease.ts';
import { work } from './work.ts';

/** What a worker gives a turn. */
export interface TurnDeps extends Service {
  download: Download;
  /** Left out by a worker that helps nobody. */
  fetchParts?: FetchParts | undefined;
}

export interface TurnBounds {
  /** Milliseconds since the epoch by which the turn must have returned. */
  deadline: number;
  /** The host is going down: give everything back and return. */
  stop: AbortSignal;
}

/** What the host does with the ticket: removes it, or leaves it, its visibility set, to be delivered again. */
export type Disposition = 'acknowledge' | 'keep';

/**
 * Takes one turn at a ticket's shard, or as its helper: lease, work, checkpoints, release. Returns with nothing under way.
 * An error means that ledger or store failed; the ticket then comes back by itself, within its visibility.
 */
export async function runTurn(deps: TurnDeps, delivery: Delivery, bounds: TurnBounds): Promise<Disposition> {
  const { clock, tickets } = deps;

  /** The ticket's wait is for the queue; if it cannot be told, the ticket comes back when its visibility ends. */
  const hide = (ms: number) => tickets.changeVisibility(delivery.receipt, Math.max(0, ms)).catch(() => undefined);
  const keep = async (ms: number): Promise<Disposition> => {
    await hide(ms);
    return 'keep';
  };

  // First, since a queue may have hidden the ticket for much longer: who dies or fails from here on is missed in time.
  await hide(TICKET_VISIBILITY_MS);
  const { helper } = delivery.ticket;
  if (helper !== undefined) {
    const { fetchParts } = deps;
    if (fetchParts) await help({ ...deps, fetchParts }, delivery, helper, bounds, () => hide(TICKET_VISIBILITY_MS));
    return 'acknowledge';
  }
  const acquired = await acquire(deps, delivery, newToken(deps.random));
  if (acquired === 'acknowledge') return 'acknowledge';
  if ('visibleIn' in acquired) return keep(acquired.visibleIn);

  const checkpoints = createCheckpointer(deps, acquired.shard);
  const uploads = createKeptUploads(deps.files, acquired.batch.options.prefix);
  const watching = new AbortController();
  const watch = checkpoints.watch(watching.signal);
  let released = false;
  try {
    const end = await work(deps, acquired, checkpoints, uploads, bounds, () => hide(TICKET_VISIBILITY_MS));
    const wait = end.wakeAt - clock.now();
    const ticketed = end.ticketed && wait <= MAX_TICKET_WAIT_MS && delivery.receiveCount < MAX_TICKET_RECEIVES;
    const { list } = end.snapshot;
    if (end.cancelled) await uploads.abort(list.entries);
    released = await checkpoints.write(end.snapshot, { ...end, ticketed });
    // Without its lease a turn writes nothing more; the ticket comes back to see what became of the shard.
    if (!released) {
      await uploads.abandon(list);
      return 'keep';
    }
    await end.tidy();
    if (end.finished || end.cancelled || end.abroad) {
      await closeAfter(deps, acquired.shard);
      return 'acknowledge';
    }
    // A resume that came while this turn still held the shard has sent its ticket in vain.
    if (!end.ticketed && (await deps.ledger.getBatch(acquired.batch.id))?.state === 'running') return await keep(0);
    return ticketed ? await keep(wait) : 'acknowledge';
  } catch (error) {
    // Reads give up with the lease; what comes after its release does not need it.
    if (!released && checkpoints.isFenced()) return 'keep';
    throw error;
  } finally {
    watching.abort();
    await watch;
  }
}
