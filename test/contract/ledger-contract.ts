import { describe, expect, test } from 'vitest';
import { noCounts } from '../../core/model/records.ts';
import type { Ledger } from '../../core/ports/ledger.ts';
import { batchRecord, claimRecord, helperRecord, shardRecord } from './records.ts';

/** What every ledger must do. `create` answers an empty one and sees to its end after the running test. */
export function describeLedger(name: string, create: () => Promise<Ledger>): void {
  describe(`${name} as a ledger`, () => {
    test('a batch is read back as it was written, by its id and in the list', async () => {
      const ledger = await create();
      const batch = batchRecord();
      expect(await ledger.getBatch(batch.id)).toBeUndefined();
      expect(await ledger.createBatch(batch)).toBe(true);
      expect(await ledger.getBatch(batch.id)).toEqual(batch);
      expect(await ledger.readBatch(batch.id)).toEqual({ batch, shards: [] });
      expect(await ledger.listBatches({ limit: 10 })).toEqual([
        { id: batch.id, name: 'kittens', createdAt: batch.createdAt },
      ]);
      expect(await ledger.listOpen()).toEqual([batch.id]);
    });

    test('a field without a value comes back without one', async () => {
      const ledger = await create();
      const batch = batchRecord({ name: undefined, closedAt: undefined });
      await ledger.createBatch(batch);
      expect(await ledger.getBatch(batch.id)).toEqual(batch);
      expect(await ledger.listBatches({ limit: 1 })).toEqual([{ id: batch.id, createdAt: batch.createdAt }]);
      const shard = shardRecord(batch.id, 0, { owner: { ticket: 't', turn: 'u' }, waiting: 'w' });
      await ledger.createShard(shard);
      const released = { ...shard, rev: 2, owner: undefined, waiting: undefined };
      await ledger.replaceShard(released);
      expect(await ledger.getShard(batch.id, 0)).toEqual(released);
    });

    test('names and numbers of every kind survive', async () => {
      const ledger = await create();
      const batch = batchRecord({ name: `"quoted" \\ \u{1f600} \u0000 ';--`, total: 10_000_000 });
      batch.options.maxBytes = 50 * 1024 ** 4;
      batch.options.requestsPerSecondPerHost = 0.01;
      await ledger.createBatch(batch);
      expect(await ledger.getBatch(batch.id)).toEqual(batch);
      const shard = shardRecord(batch.id, 999, {
        bytes: Number.MAX_SAFE_INTEGER,
        failures: { NOT_FOUND: 3, CRASHED: 1 },
      });
      await ledger.createShard(shard);
      expect(await ledger.getShard(batch.id, 999)).toEqual(shard);
    });

    test('a batch whose id is taken is refused and changes nothing', async () => {
      const ledger = await create();
      const batch = batchRecord();
      await ledger.createBatch(batch);
      expect(await ledger.createBatch({ ...batch, name: 'puppies' })).toBe(false);
      expect(await ledger.getBatch(batch.id)).toEqual(batch);
    });

    test('a shard that exists is left as it is', async () => {
      const ledger = await create();
      const shard = shardRecord('b', 3);
      expect(await ledger.getShard('b', 3)).toBeUndefined();
      expect(await ledger.createShard(shard)).toBe(true);
      const advanced = { ...shard, rev: 2, cursor: 500 };
      await ledger.replaceShard(advanced);
      expect(await ledger.createShard(shard)).toBe(false);
      expect(await ledger.getShard('b', 3)).toEqual(advanced);
    });

    test('a record is replaced only by who has read its newest revision', async () => {
      const ledger = await create();
      const batch = batchRecord();
      const shard = shardRecord(batch.id, 0);
      await ledger.createBatch(batch);
      await ledger.createShard(shard);
      const running = { ...batch, rev: 2, state: 'running' as const };
      const leased = { ...shard, rev: 2, epoch: 1 };
      expect(await ledger.replaceBatch(running)).toBe(true);
      expect(await ledger.replaceShard(leased)).toBe(true);
      for (const rev of [1, 2, 4]) {
        expect(await ledger.replaceBatch({ ...batch, rev, state: 'paused' }), `batch, ${rev}`).toBe(false);
        expect(await ledger.replaceShard({ ...shard, rev, epoch: 7 }), `shard, ${rev}`).toBe(false);
      }
      expect(await ledger.getBatch(batch.id)).toEqual(running);
      expect(await ledger.getShard(batch.id, 0)).toEqual(leased);
    });

    test('what does not exist is not replaced into being', async () => {
      const ledger = await create();
      const batch = batchRecord();
      expect(await ledger.replaceBatch(batch)).toBe(false);
      expect(await ledger.replaceBatch({ ...batch, rev: 2 })).toBe(false);
      expect(await ledger.replaceShard(shardRecord(batch.id, 0, { rev: 2 }))).toBe(false);
      expect(await ledger.getBatch(batch.id)).toBeUndefined();
      expect(await ledger.getShard(batch.id, 0)).toBeUndefined();
    });

    test('of many that replace one revision at once, exactly one wins', async () => {
      const ledger = await create();
      const batch = batchRecord();
      await ledger.createBatch(batch);
      await ledger.createShard(shardRecord(batch.id, 0));
      const turns = ['a', 'b', 'c', 'd', 'e'];
      const shards = turns.map((turn) => shardRecord(batch.id, 0, { rev: 2, owner: { ticket: 't', turn } }));
      const batches = turns.map((turn) => ({ ...batch, rev: 2, name: turn }));
      const shardWins = await Promise.all(shards.map((next) => ledger.replaceShard(next)));
      const batchWins = await Promise.all(batches.map((next) => ledger.replaceBatch(next)));
      expect(shardWins.filter(Boolean)).toHaveLength(1);
      expect(batchWins.filter(Boolean)).toHaveLength(1);
      expect(await ledger.getShard(batch.id, 0)).toEqual(shards[shardWins.indexOf(true)]);
      expect(await ledger.getBatch(batch.id)).toEqual(batches[batchWins.indexOf(true)]);
    });

    test('of many that create one batch or shard at once, exactly one wins', async () => {
      const ledger = await create();
      const batch = batchRecord();
      const batches = await Promise.all([1, 2, 3, 4].map((total) => ledger.createBatch({ ...batch, total })));
      const shards = await Promise.all([1, 2, 3, 4].map((to) => ledger.createShard(shardRecord(batch.id, 0, { to }))));
      expect(batches.filter(Boolean)).toHaveLength(1);
      expect(shards.filter(Boolean)).toHaveLength(1);
      expect((await ledger.getBatch(batch.id))?.total).toBe(batches.indexOf(true) + 1);
      expect((await ledger.getShard(batch.id, 0))?.to).toBe(shards.indexOf(true) + 1);
    });

    test('a batch is read with all its shards by number, and no others', async () => {
      const ledger = await create();
      const [batch, other] = [batchRecord(), batchRecord()];
      await ledger.createBatch(batch);
      await ledger.createBatch(other);
      const numbers = Array.from({ length: 120 }, (_, n) => n);
      await Promise.all(numbers.toReversed().map((n) => ledger.createShard(shardRecord(batch.id, n, { cursor: n }))));
      await ledger.createShard(shardRecord(other.id, 0));
      const shards = numbers.map((n) => shardRecord(batch.id, n, { cursor: n }));
      expect(await ledger.readBatch(batch.id)).toEqual({ batch, shards });
      expect(await ledger.readBatch(batch.id, 3)).toEqual({ batch, shards: shards.slice(0, 3) });
      expect(await ledger.readBatch(batch.id, 120)).toEqual({ batch, shards });
      expect(await ledger.readBatch(other.id, 3)).toEqual({ batch: other, shards: [shardRecord(other.id, 0)] });
      expect(await ledger.readBatch(batchRecord().id)).toBeUndefined();
      expect(await ledger.readBatch(batchRecord().id, 3)).toBeUndefined();
    });

    test('what says how far a batch is can be read alone, its own record being whole', async () => {
      const ledger = await create();
      const batch = batchRecord({ name: 'nightly', topHosts: { 'a.example': 3 }, final: noCounts() });
      await ledger.createBatch(batch);
      const progress = { done: 3, retrying: 1, partialBytes: 7, finishedAt: 5, owner: { ticket: 't', turn: 'u' } };
      await ledger.createShard(shardRecord(batch.id, 0, { ...progress, failures: { NOT_FOUND: 2 } }));
      const read = await ledger.readProgress(batch.id);
      expect(read?.batch).toEqual(batch);
      expect(read?.shards).toMatchObject([{ shard: 0, ...progress, failures: { NOT_FOUND: 2 } }]);
      expect(await ledger.readProgress(batchRecord().id)).toBeUndefined();
    });

    test("a batch's shards are read from one on, on either side, as many as are asked for", async () => {
      const ledger = await create();
      const [batch, other] = [batchRecord(), batchRecord()];
      await ledger.createBatch(batch);
      for (const n of [3, 0, 4, 1, 12]) await ledger.createShard(shardRecord(batch.id, n, { cursor: n }));
      for (const n of [2, 13]) await ledger.createShard(shardRecord(other.id, n));
      const read = async (page: Parameters<typeof ledger.readShards>[1]) => {
        const shards = await ledger.readShards(batch.id, page);
        expect(shards).toEqual(shards.map(({ shard: n }) => shardRecord(batch.id, n, { cursor: n })));
        return shards.map(({ shard }) => shard);
      };
      expect(await read({ from: 0, limit: 9 })).toEqual([0, 1, 3, 4, 12]);
      expect(await read({ from: 1, limit: 2 })).toEqual([1, 3]);
      expect(await read({ from: 13, limit: 2 })).toEqual([]);
      expect(await read({ from: 12, limit: 9, descending: true })).toEqual([12, 4, 3, 1, 0]);
      expect(await read({ from: 3, limit: 2, descending: true })).toEqual([3, 1]);
      expect(await read({ from: 0, limit: 1, descending: true })).toEqual([0]);
      expect(await ledger.readShards(batchRecord().id, { from: 0, limit: 1 })).toEqual([]);
    });

    test('batches are listed newest first, page by page, without gaps or repetition', async () => {
      const ledger = await create();
      const batches = Array.from({ length: 7 }, (_, n) =>
        batchRecord({ name: `n${n}`, createdAt: Date.UTC(2030, 0, 1 + n) }),
      );
      for (const n of [3, 0, 6, 1, 5, 2, 4]) await ledger.createBatch(batches[n] ?? batchRecord());
      const names: (string | undefined)[] = [];
      let before: string | undefined;
      for (const size of [3, 3, 1]) {
        const page = await ledger.listBatches({ limit: 3, before });
        expect(page).toHaveLength(size);
        names.push(...page.map((item) => item.name));
        before = page.at(-1)?.id;
      }
      expect(names).toEqual(['n6', 'n5', 'n4', 'n3', 'n2', 'n1', 'n0']);
      expect(await ledger.listBatches({ limit: 3, before })).toEqual([]);
    });

    test('a batch is open until it is dropped, however often it changes; dropping twice is fine', async () => {
      const ledger = await create();
      const [first, second] = [batchRecord(), batchRecord()];
      await ledger.createBatch(first);
      await ledger.createBatch(second);
      await ledger.replaceBatch({ ...first, rev: 2, state: 'finished' });
      expect((await ledger.listOpen()).sort()).toEqual([first.id, second.id].sort());
      await ledger.dropOpen(first.id);
      await ledger.dropOpen(first.id);
      await ledger.dropOpen(batchRecord().id);
      await ledger.replaceBatch({ ...first, rev: 3, state: 'finished', notifiedAt: 5 });
      expect(await ledger.listOpen()).toEqual([second.id]);
      expect(await ledger.getBatch(first.id)).toMatchObject({ rev: 3 });
      expect(await ledger.listBatches({ limit: 10 })).toHaveLength(2);
    });

    test('a batch that is removed is gone with its shards and its place in the list, and left open', async () => {
      const ledger = await create();
      const [batch, other] = [batchRecord(), batchRecord()];
      for (const { id } of [batch, other]) for (const n of [0, 1, 2]) await ledger.createShard(shardRecord(id, n));
      await ledger.createBatch(batch);
      await ledger.createBatch(other);
      for (const { id } of [batch, other]) await ledger.dropOpen(id);
      for (let times = 0; times < 2; times++) {
        await ledger.removeBatch(batch.id);
        expect(await ledger.getBatch(batch.id)).toBeUndefined();
        expect(await ledger.readBatch(batch.id)).toBeUndefined();
        expect(await ledger.getShard(batch.id, 1)).toBeUndefined();
        expect(await ledger.listOpen()).toEqual([batch.id]);
      }
      expect((await ledger.listBatches({ limit: 10 })).map(({ id }) => id)).toEqual([other.id]);
      expect((await ledger.readBatch(other.id))?.shards).toHaveLength(3);
      expect(await ledger.replaceBatch({ ...batch, rev: 2 })).toBe(false);
      expect(await ledger.replaceShard(shardRecord(batch.id, 0, { rev: 2 }))).toBe(false);
      await ledger.dropOpen(batch.id);
      expect(await ledger.listOpen()).toEqual([]);
    });

    test('a helper is made once, replaced only by who has read its newest revision, and removed however often', async () => {
      const ledger = await create();
      const helper = helperRecord('b', 'F3.1');
      expect(await ledger.getHelper('b', 'F3.1')).toBeUndefined();
      expect(await ledger.replaceHelper({ ...helper, rev: 2 })).toBe(false);
      expect(await ledger.createHelper(helper)).toBe(true);
      expect(await ledger.createHelper({ ...helper, endedAt: 5 })).toBe(false);
      expect(await ledger.getHelper('b', 'F3.1')).toEqual(helper);
      const fault = { code: 'RATE_LIMITED', httpStatus: 429, retryAt: 7 } as const;
      const ended = {
        ...helper,
        rev: 2,
        owner: { ticket: 't', turn: 'u' },
        leaseUntil: 9,
        landed: 'k',
        fault,
        endedAt: 8,
      };
      expect(await ledger.replaceHelper(ended)).toBe(true);
      for (const rev of [1, 2, 4]) expect(await ledger.replaceHelper({ ...helper, rev }), `${rev}`).toBe(false);
      expect(await ledger.getHelper('b', 'F3.1')).toEqual(ended);
      for (const other of ['F3.2', 'F31.1']) expect(await ledger.getHelper('b', other)).toBeUndefined();
      for (let times = 0; times < 2; times++) await ledger.removeHelper('b', 'F3.1');
      expect(await ledger.getHelper('b', 'F3.1')).toBeUndefined();
    });

    test('helpers are no shards: who reads a batch or its shards does not see them; they go with the batch', async () => {
      const ledger = await create();
      const [batch, other] = [batchRecord(), batchRecord()];
      const shard = shardRecord(batch.id, 0, { helpers: ['F0.1'] });
      await ledger.createBatch(batch);
      await ledger.createShard(shard);
      for (const { id } of [batch, other]) await ledger.createHelper(helperRecord(id, 'F0.1'));
      expect(await ledger.readBatch(batch.id)).toEqual({ batch, shards: [shard] });
      expect(await ledger.readShards(batch.id, { from: 9, limit: 9, descending: true })).toEqual([shard]);
      await ledger.removeBatch(batch.id);
      expect(await ledger.getHelper(batch.id, 'F0.1')).toBeUndefined();
      expect(await ledger.getHelper(other.id, 'F0.1')).toEqual(helperRecord(other.id, 'F0.1'));
    });

    test('a claim is made once, and replaced only by who has read its newest revision', async () => {
      const ledger = await create();
      const claim = claimRecord('k');
      expect(await ledger.getClaim('k')).toBeUndefined();
      expect(await ledger.putClaim({ ...claim, rev: 2 })).toBe(false);
      expect(await ledger.putClaim(claim)).toBe(true);
      expect(await ledger.putClaim({ ...claim, request: 'other' })).toBe(false);
      expect(await ledger.getClaim('k')).toEqual(claim);
      const refused = { ...claim, rev: 2, request: undefined };
      expect(await ledger.putClaim(refused)).toBe(true);
      for (const rev of [1, 2, 4]) expect(await ledger.putClaim({ ...claim, rev }), `${rev}`).toBe(false);
      expect(await ledger.getClaim('k')).toEqual(refused);
      expect(await ledger.getClaim('other')).toBeUndefined();
    });

    test('of many that claim one key at once, exactly one wins', async () => {
      const ledger = await create();
      const claims = ['a', 'b', 'c', 'd', 'e'].map((holder) => claimRecord('k', { holder }));
      const wins = await Promise.all(claims.map((claim) => ledger.putClaim(claim)));
      expect(wins.filter(Boolean)).toHaveLength(1);
      expect(await ledger.getClaim('k')).toEqual(claims[wins.indexOf(true)]);
      const next = ['f', 'g', 'h'].map((holder) => claimRecord('k', { rev: 2, holder }));
      expect((await Promise.all(next.map((claim) => ledger.putClaim(claim)))).filter(Boolean)).toHaveLength(1);
    });
  });
}
