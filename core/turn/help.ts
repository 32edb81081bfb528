import { newToken } from '../batch/ids.ts';
import type { Service } from '../batch/service.ts';
import type { FetchParts } from '../download/downloader.ts';
import { DownloadError } from '../model/failure.ts';
import { landedKey, orderKey, secretsKey } from '../model/layout.ts';
import { CHECKPOINT_MS, LEASE_MS, TURN_END_MS } from '../model/limits.ts';
import type { BatchRecord, HelperRecord } from '../model/records.ts';
import type { Part } from '../ports/object-store.ts';
import type { Delivery } from '../ports/tickets.ts';
import { createFence } from './fence.ts';
import { removeHelper, type WrittenOrder } from './helpers.ts';
import type { TurnBounds } from './turn.ts';

/** A helper, held by this turn. */
interface Hold {
  batch: BatchRecord;
  record: HelperRecord;
  turn: string;
}

/** Whether a shard has a use for its helper; `over` if nobody will go on with the file. */
type Need = 'wanted' | 'unwanted' | 'over';

/**
 * Fetches the parts that a shard has asked for, in one turn that is never taken up again: whatever ends it, it tells what
 * has landed, and the shard has the rest back. Returns with nothing under way; its ticket is then of no more use.
 */
export async function help(
  deps: Service & { fetchParts: FetchParts },
  delivery: Delivery,
  name: string,
  bounds: TurnBounds,
  /** Called after each checkpoint that landed: keeps the ticket hidden. */
  renewed: () => Promise<unknown>,
): Promise<void> {
  const hold = await take(deps, delivery, name);
  if (!hold) return;
  const { ledger, state, files, clock } = deps;
  const { batch, turn } = hold;
  const { batchId, shard } = hold.record;
  let { record } = hold;
  const takenAt = record.leaseUntil - LEASE_MS;
  const fence = createFence(clock, record.leaseUntil, () => new Error('The lease of a helper is lost.'));
  const ending = new AbortController();
  const signal = AbortSignal.any([bounds.stop, fence.signal, ending.signal]);
  const parts: Part[] = [];
  /** Of these, the ones in the newest object, and its key. */
  let told = 0;
  let newest: string | undefined;
  let fault: HelperRecord['fault'];

  /** Fetches until all parts have landed or the first reason not to go on. */
  async function fetchAll(order: WrittenOrder): Promise<void> {
    const { entry, url, version, withHeaders, ...rest } = order;
    const secrets = batch.hasSecrets && withHeaders ? await readJson<Record<string, string>>(secretsKey(batchId)) : {};
    const headers = withHeaders ? { ...secrets, ...entry.headers } : {};
    const { options } = batch;
    await deps.fetchParts({
      ...rest,
      source: { url: new URL(url), headers, version },
      key: options.prefix + entry.key,
      options,
      signal,
      landed: (part) => void parts.push(part),
    });
  }

  async function readJson<T>(key: string): Promise<T> {
    const body = await state.get(key, { signal });
    if (!body) throw new Error(`${key} cannot be read.`);
    return JSON.parse(String(body)) as T;
  }

  /** Tells what has landed. Answers whether to go on; ends the lease with `isEnd`, whatever the shard has written meanwhile. */
  async function checkpoint(isEnd: boolean): Promise<boolean> {
    const count = parts.length;
    const key = count > told ? landedKey(batchId, name, count) : record.landed;
    const body = Buffer.from(JSON.stringify(parts.slice(0, count)));
    const isNew = key !== undefined && key !== record.landed;
    if (isNew && !(await fence.persist(() => state.put(key, body, { signal: fence.signal }).then(() => true))))
      return false;
    newest = key;
    const former = record.landed;
    for (;;) {
      const workedMs = clock.now() - takenAt;
      const next: HelperRecord = { ...record, rev: record.rev + 1, landed: key, workedMs };
      if (isEnd) Object.assign(next, { endedAt: clock.now(), fault });
      const answer = await fence.persist(() => commit(next));
      if (answer === 'recalled' && isEnd) continue;
      if (answer !== 'landed') return false;
      break;
    }
    told = count;
    if (isNew && former !== undefined) await state.delete(former).catch(() => undefined);
    return true;
  }

  /** One try to land the record; finds out what became of one that was refused or not answered. */
  async function commit(next: HelperRecord): Promise<'landed' | 'recalled' | undefined> {
    const sent = { ...next, leaseUntil: clock.now() + LEASE_MS };
    if (!(await ledger.replaceHelper(sent).catch(() => false))) {
      const stored = await ledger.getHelper(batchId, name);
      if (stored?.owner?.turn !== turn || stored.rev > next.rev + 1) fence.lose();
      else if (stored.endedAt !== undefined) {
        // By this try or an earlier one; or by the shard, which has its parts back.
        if (next.endedAt !== undefined) return 'landed';
        fence.lose();
      } else if (stored.recalled === true && record.recalled !== true) {
        record = stored;
        return 'recalled';
      } else if (stored.rev === next.rev) {
        record = stored;
        fence.renewed(stored.leaseUntil);
        return 'landed';
      }
      return undefined;
    }
    record = sent;
    fence.renewed(sent.leaseUntil);
    return 'landed';
  }

  /** Looks and tells until the end, or until there is a reason to bring it about. */
  async function keepUp(fetching: Promise<void>): Promise<void> {
    const over = new AbortController();
    const stopped = fetching.then(
      () => over.abort(),
      () => over.abort(),
    );
    const hardEnd = bounds.deadline - TURN_END_MS;
    for (;;) {
      const pause = Math.min(CHECKPOINT_MS, hardEnd - clock.now());
      await clock.sleep(Math.max(0, pause), AbortSignal.any([over.signal, signal])).catch(() => undefined);
      if (over.signal.aborted) return;
      if (signal.aborted || clock.now() >= hardEnd || (await need()) !== 'wanted' || !(await checkpoint(false))) break;
      await renewed();
    }
    ending.abort(new Error('The helper ends.'));
    await stopped;
  }

  /** What cannot be read is taken as it was before. */
  const need = () => needOf(deps, batchId, shard, name).catch(() => 'wanted' as const);

  const watching = new AbortController();
  const watch = fence.watch(watching.signal);
  let order: WrittenOrder | undefined;
  try {
    order = await readJson<WrittenOrder>(orderKey(batchId, name));
    const fetching = fetchAll(order);
    await keepUp(fetching);
    await fetching;
  } catch (error) {
    if (error instanceof DownloadError && !signal.aborted) {
      const { code, httpStatus, retryAt } = error;
      fault = { code, httpStatus, retryAt };
    }
  } finally {
    if (!fence.isOver()) await checkpoint(true);
    watching.abort();
    await watch;
  }
  if (!order || (await need()) !== 'over') return;
  // Who aborted the upload may not have waited for the parts that were on their way, nor who deleted the batch for what
  // was told of them.
  await files.abortUpload(batch.options.prefix + order.entry.key, order.uploadId).catch(() => undefined);
  await removeHelper(deps, batchId, name, newest);
}

/** Takes a helper that nobody has had, if its shard still wants it. */
async function take(
  { ledger, clock, random }: Pick<Service, 'ledger' | 'clock' | 'random'>,
  { ticket, messageId }: Delivery,
  name: string,
): Promise<Hold | undefined> {
  const { batchId, shard } = ticket;
  const offered = await ledger.getHelper(batchId, name);
  if (!offered || offered.owner || offered.endedAt !== undefined) return undefined;
  const batch = await ledger.getBatch(batchId);
  if (!batch || (await needOf({ ledger }, batchId, shard, name)) !== 'wanted') return undefined;
  const turn = newToken(random);
  const owner = { ticket: messageId, turn };
  const next = { ...offered, rev: offered.rev + 1, owner, leaseUntil: clock.now() + LEASE_MS };
  if (await ledger.replaceHelper(next).catch(() => false)) return { batch, record: next, turn };
  // Its owner tells whether the write landed, be its answer lost or not.
  const stored = await ledger.getHelper(batchId, name);
  const isOurs = stored?.owner?.turn === turn && stored.endedAt === undefined;
  return isOurs ? { batch, record: stored, turn } : undefined;
}

async function needOf(
  { ledger }: Pick<Service, 'ledger'>,
  batchId: string,
  shard: number,
  name: string,
): Promise<Need> {
  const batch = await ledger.getBatch(batchId);
  const parent = await ledger.getShard(batchId, shard);
  if (!batch || !parent || batch.state === 'cancelling' || batch.closedAt !== undefined) return 'over';
  if (parent.finishedAt !== undefined) return 'over';
  return batch.state === 'running' && parent.helpers?.includes(name) === true ? 'wanted' : 'unwanted';
}
