import type { BatchRecord, ClaimRecord, HelperRecord, ShardRecord } from '../../core/model/records.ts';
import type { Ledger } from '../../core/ports/ledger.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { Delivery, Ticket, Tickets } from '../../core/ports/tickets.ts';
import type { Actor, Scheduler } from './scheduler.ts';

interface Message extends Ticket {
  id: string;
  visibleAt: number;
  receipt: string;
  receives: number;
}

/** How long a queue hides a received message that nobody changes. */
const QUEUE_VISIBILITY_MS = 900_000;

/** What the actors share: a ledger, a queue and two stores, each call of theirs atomic. */
export class Servers {
  readonly batches = new Map<string, BatchRecord>();
  readonly shards = new Map<string, ShardRecord>();
  /** By batch and name. */
  readonly helpers = new Map<string, HelperRecord>();
  readonly open = new Set<string>();
  readonly claims = new Map<string, ClaimRecord>();
  /** Ids of all batches that ever were. */
  readonly born = new Set<string>();
  readonly state = new Map<string, Buffer>();
  readonly files = new Map<string, Buffer>();
  /** Those begun and neither completed nor aborted, with the parts that they have. */
  readonly uploads = new Map<string, { key: string; parts: Map<number, Buffer> }>();
  queue: Message[] = [];
  sent = 0;
  /** Called after every change of a shard's record, or of its results. */
  changed: (batchId: string, shard: number, by: Actor) => void = () => undefined;
  /** Called when a lease is taken. */
  leased: (record: ShardRecord, by: Actor) => void = () => undefined;
  /** Called when a helper is taken. */
  taken: (record: HelperRecord, by: Actor) => void = () => undefined;
  /** Called when a worker's checkpoint lands. */
  landed: (record: ShardRecord, by: Actor) => void = () => undefined;
  private ids = 0;
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  shardsOf(batchId: string): ShardRecord[] {
    return [...this.shards.values()].filter((s) => s.batchId === batchId).sort((a, b) => a.shard - b.shard);
  }

  ledger(actor: Actor): Ledger {
    const call = <T>(name: string, apply: () => T) => this.scheduler.call(actor, name, apply);
    const id = (s: { batchId: string; shard: number }) => `${s.batchId}/${s.shard}`;
    const copy = <T>(value: T): T => structuredClone(value);
    const readBatch = (batchId: string, limit?: number) => {
      const batch = this.batches.get(batchId);
      return batch && { batch: copy(batch), shards: copy(this.shardsOf(batchId).slice(0, limit)) };
    };
    return {
      createBatch: (batch) =>
        call(`create batch ${batch.state}`, () => {
          this.open.add(batch.id);
          if (this.batches.has(batch.id)) return false;
          this.batches.set(batch.id, copy(batch));
          this.born.add(batch.id);
          return true;
        }),
      getBatch: (batchId) => call('get batch', () => copy(this.batches.get(batchId))),
      replaceBatch: (next) =>
        call(`batch -> ${next.state}${next.closedAt ? ' CLOSED' : ''}`, () => {
          if (this.batches.get(next.id)?.rev !== next.rev - 1) return false;
          this.batches.set(next.id, copy(next));
          return true;
        }),
      createShard: (shard) =>
        call(`create shard ${shard.shard}`, () => {
          if (this.shards.has(id(shard))) return false;
          this.shards.set(id(shard), copy(shard));
          this.changed(shard.batchId, shard.shard, actor);
          return true;
        }),
      getShard: (batchId, shard) => call(`get shard ${shard}`, () => copy(this.shards.get(`${batchId}/${shard}`))),
      replaceShard: (next) =>
        call(describe(next), () => {
          const former = this.shards.get(id(next));
          if (former?.rev !== next.rev - 1) return false;
          this.shards.set(id(next), copy(next));
          if (next.owner && next.epoch > former.epoch) this.leased(next, actor);
          else if (next.epoch === former.epoch) this.landed(next, actor);
          this.changed(next.batchId, next.shard, actor);
          return true;
        }),
      readBatch: (batchId, limit) => call('query batch', () => readBatch(batchId, limit)),
      readProgress: (batchId) => call('query progress', () => readBatch(batchId)),
      readShards: (batchId, { from, limit, descending }) =>
        call(`query shards ${descending ? 'down' : 'up'} from ${from}`, () => {
          const shards = descending ? this.shardsOf(batchId).reverse() : this.shardsOf(batchId);
          return copy(shards.filter(({ shard }) => (descending ? shard <= from : shard >= from)).slice(0, limit));
        }),
      listBatches: () => call('list batches', () => []),
      listOpen: () => call('list open', () => [...this.open]),
      dropOpen: (batchId) => call('drop open', () => void this.open.delete(batchId)),
      removeBatch: async (batchId) => {
        await call('open again', () => void this.open.add(batchId));
        await call('remove batch', () => void this.batches.delete(batchId));
        for (const shard of await call('query shards', () => this.shardsOf(batchId))) {
          await call(`remove shard ${shard.shard}`, () => void this.shards.delete(id(shard)));
        }
        for (const key of await call('query helpers', () => [...this.helpers.keys()]))
          if (key.startsWith(batchId)) await call(`remove helper ${key}`, () => void this.helpers.delete(key));
      },
      createHelper: (helper) =>
        call(`create helper ${helper.name}${helper.endedAt ? ' ENDED' : ''}`, () => {
          if (this.helpers.has(nameOf(helper))) return false;
          this.helpers.set(nameOf(helper), copy(helper));
          return true;
        }),
      getHelper: (batchId, name) => call(`get helper ${name}`, () => copy(this.helpers.get(nameOf({ batchId, name })))),
      replaceHelper: (next) =>
        call(describeHelper(next), () => {
          const former = this.helpers.get(nameOf(next));
          if (former?.rev !== next.rev - 1) return false;
          this.helpers.set(nameOf(next), copy(next));
          if (next.owner && !former.owner) this.taken(next, actor);
          return true;
        }),
      removeHelper: (batchId, name) =>
        call(`remove helper ${name}`, () => void this.helpers.delete(nameOf({ batchId, name }))),
      getClaim: (key) => call('get claim', () => copy(this.claims.get(key))),
      putClaim: (next) =>
        call(`claim rev ${next.rev}`, () => {
          if ((this.claims.get(next.key)?.rev ?? 0) !== next.rev - 1) return false;
          this.claims.set(next.key, copy(next));
          return true;
        }),
    };
  }

  store(actor: Actor, objects: Map<string, Buffer>): ObjectStore {
    const call = <T>(name: string, apply: () => T, signal?: AbortSignal) =>
      this.scheduler.call(actor, name, apply, { signal });
    const unused = () => Promise.reject(new Error('Nobody asks for links here.'));
    const uploadOf = (key: string, id: string) => {
      const upload = this.uploads.get(id);
      if (upload?.key !== key) throw new UploadLost();
      return upload;
    };
    const noteResults = (key: string) => {
      const match = /^batches\/([^/]+)\/results\/(\d+)\//.exec(key);
      if (match?.[1]) this.changed(match[1], Number(match[2]), actor);
    };
    return {
      put: (key, body, options) =>
        call(
          `PUT ${key.replace(/^batches\/[^/]+\//, '')}`,
          () => {
            objects.set(key, Buffer.from(body));
            noteResults(key);
          },
          options?.signal,
        ),
      get: (key, options) =>
        call(`GET ${key.replace(/^batches\/[^/]+\//, '')}`, () =>
          objects.get(key)?.subarray(options?.from ?? 0, options?.to),
        ),
      head: (key) => call('HEAD', () => ({ bytes: objects.get(key)?.length ?? 0, etag: '' })),
      async *list(prefix, { after = '' } = {}) {
        const isWanted = (key: string) => key.startsWith(prefix) && key > after;
        yield* await call('LIST', () => [...objects.keys()].filter(isWanted).sort());
      },
      delete: (key) => call(`DELETE ${key.replace(/^batches\/[^/]+\//, '')}`, () => void objects.delete(key)),
      createUpload: (key) =>
        call('begin upload', () => {
          const id = `u${++this.ids}`;
          this.uploads.set(id, { key, parts: new Map() });
          return id;
        }),
      putPart: (key, id, number, body, options) =>
        call(
          `part ${number} of ${id}`,
          () => {
            uploadOf(key, id).parts.set(number, Buffer.from(body));
            return { number, etag: String(body), bytes: body.length };
          },
          options?.signal,
        ),
      completeUpload: (key, id, parts, options) =>
        call(
          `complete ${id}`,
          () => {
            const upload = uploadOf(key, id);
            const bodies = parts.map(({ number, etag }) => {
              const body = upload.parts.get(number);
              if (!body || String(body) !== etag) throw new UploadLost();
              return body;
            });
            objects.set(key, Buffer.concat(bodies));
            this.uploads.delete(id);
          },
          options?.signal,
        ),
      abortUpload: (_key, id) => call(`abort ${id}`, () => void this.uploads.delete(id)),
      uploadLink: unused,
    };
  }

  tickets(actor: Actor): Tickets {
    const call = <T>(name: string, apply: () => T) => this.scheduler.call(actor, name, apply);
    /** A queue may or may not honour a receipt that is not the newest. */
    const change = (receipt: string, apply: (message: Message) => void) => {
      const message = this.queue.find((m) => receipt.startsWith(`${m.id}:`));
      if (message && (message.receipt === receipt || this.scheduler.chance(0.5))) apply(message);
    };
    return {
      send: (tickets) =>
        call(`send ${tickets.map((t) => t.helper ?? t.shard).join()}`, () => {
          for (const ticket of tickets) {
            this.sent += 1;
            this.queue.push({
              ...ticket,
              id: `m${++this.ids}`,
              visibleAt: this.scheduler.now,
              receipt: '',
              receives: 0,
            });
          }
        }),
      receive: () => Promise.reject(new Error('The world hands tickets out itself.')),
      changeVisibility: (receipt, delayMs) =>
        call(`visible in ${Math.ceil(delayMs / 1000)} s`, () => {
          if (delayMs > 43_200_000) throw new RangeError('longer than any queue hides a message');
          change(receipt, (message) => (message.visibleAt = this.scheduler.now + delayMs));
        }),
      acknowledge: (receipt) =>
        call('acknowledge', () => {
          change(receipt, (message) => this.queue.splice(this.queue.indexOf(message), 1));
        }),
      hasVisible: () => call('queue depth', () => this.queue.some((m) => m.visibleAt <= this.scheduler.now)),
    };
  }

  /** A ticket that is visible, or now and then one that is not: queues deliver twice. */
  deliver(twice: boolean): Delivery | undefined {
    const visible = this.queue.filter((m) => m.visibleAt <= this.scheduler.now);
    const from = visible.length > 0 ? visible : twice ? this.queue : [];
    const message = from[this.scheduler.int(from.length)];
    if (!message) return undefined;
    message.receives += 1;
    message.receipt = `${message.id}:${++this.ids}`;
    // Of a helper that there is to be held once, a queue that delivers twice says the most while it is held.
    const isTwice = message.helper !== undefined && !this.scheduler.calm && this.scheduler.chance(0.2);
    message.visibleAt = this.scheduler.now + (isTwice ? 0 : QUEUE_VISIBILITY_MS);
    const { batchId, shard, helper, id, receipt, receives } = message;
    return { ticket: { batchId, shard, helper }, messageId: id, receipt, receiveCount: receives };
  }

  loseTicket(): void {
    const [lost] = this.queue.splice(this.scheduler.int(this.queue.length), 1);
    if (lost) this.scheduler.log(`ticket ${lost.id} is LOST`);
  }
}

/** The upload is not there, or not what it was. */
export class UploadLost extends Error {
  override name = 'UploadLost';
}

function describe(next: ShardRecord): string {
  const what = next.finishedAt ? 'FINISHED' : next.owner ? `epoch ${next.epoch}` : 'released';
  return `shard ${next.shard} rev ${next.rev} seq ${next.seq} cursor ${next.cursor} ${what} d${next.done} f${next.failed} c${next.crashes}`;
}

/** Where a helper's record is kept. */
export function nameOf({ batchId, name }: Pick<HelperRecord, 'batchId' | 'name'>): string {
  return `${batchId}/${name}`;
}

function describeHelper({ name, rev, owner, recalled, endedAt }: HelperRecord): string {
  return `helper ${name} rev ${rev}${owner ? ' held' : ''}${recalled ? ' recalled' : ''}${endedAt ? ' ENDED' : ''}`;
}
