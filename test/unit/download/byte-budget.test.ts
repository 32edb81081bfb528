import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createByteBudget, type ByteBudget, type Room } from '../../../core/download/byte-budget.ts';

const MIB = 1024 ** 2;
const KIB = 1024;

/** Grows a room until it has all that it was opened for. */
async function fill(room: Room, bytes: number): Promise<Room> {
  while (room.buffer.length < bytes) await room.grow();
  return room;
}

const full = (budget: ByteBudget, bytes: number) => fill(budget.open(bytes), bytes);

describe('a byte budget', () => {
  test('gives a room what it needs as it grows, keeps what is in it, and gives the same memory again', async () => {
    const budget = createByteBudget(8 * MIB);
    const room = budget.open(700 * KIB);
    expect(room.buffer).toHaveLength(0);
    await room.grow();
    expect(room.buffer).toHaveLength(256 * KIB);
    room.buffer.fill('a');
    await room.grow();
    expect(room.buffer.subarray(0, 256 * KIB).equals(Buffer.alloc(256 * KIB, 'a'))).toBe(true);
    await room.grow();
    expect(room.buffer).toHaveLength(700 * KIB);
    await expect(room.grow()).rejects.toThrow(RangeError);
    const memory = room.buffer.buffer;
    room.release();
    const again = await full(budget, 300 * KIB);
    expect(again.buffer.buffer).toBe(memory);
    expect(budget).toMatchObject({ reservedBytes: 512 * KIB, peakBytes: 768 * KIB, waiting: 0 });
  });

  test('can be had as a whole, and not beyond; a large one keeps an eighth for small rooms', async () => {
    expect(() => createByteBudget(8 * MIB).open(8 * MIB + 1)).toThrow(RangeError);
    expect((await full(createByteBudget(8 * MIB), 8 * MIB)).buffer).toHaveLength(8 * MIB);
    const budget = createByteBudget(64 * MIB);
    expect(budget.maxRoomBytes).toBe(56 * MIB);
    await full(budget, 56 * MIB);
    for (let n = 0; n < 8; n++) await full(budget, MIB);
    expect(budget.reservedBytes).toBe(64 * MIB);
  });

  test('bodies that come slowly hold what came of them', async () => {
    const budget = createByteBudget(64 * MIB);
    for (let n = 0; n < 100; n++) await budget.open(8 * MIB).grow();
    expect(budget.reservedBytes).toBe(25 * MIB);
    await full(budget, 8 * MIB);
    await full(budget, MIB);
  });

  test('rooms that grow together are all filled, one after the other where there is no memory for all', async () => {
    const budget = createByteBudget(16 * MIB);
    const rooms = Array.from({ length: 20 }, () => budget.open(8 * MIB));
    let peak = 0;
    const filled = rooms.map(async (room) => {
      await fill(room, 8 * MIB);
      peak = Math.max(peak, budget.reservedBytes);
      room.release();
    });
    await Promise.all(filled);
    expect(peak).toBeLessThanOrEqual(16 * MIB);
    expect(budget).toMatchObject({ reservedBytes: 0, waiting: 0 });
  });

  test('serves new rooms in the order of their coming, those that have something before', async () => {
    const budget = createByteBudget(8 * MIB);
    const order: string[] = [];
    const wait = async (name: string, room: Room) => {
      await room.grow();
      order.push(name);
      return room;
    };
    const first = await full(budget, 8 * MIB);
    const waiting = [wait('large', budget.open(8 * MIB)), wait('small', budget.open(MIB))];
    expect(budget.waiting).toBe(2);
    first.release();
    await Promise.all(waiting);
    expect(order).toEqual(['large', 'small']);
  });

  test('who stops waiting makes way for the next', async () => {
    const budget = createByteBudget(8 * MIB);
    await full(budget, 5 * MIB);
    const rest = await full(budget, 3 * MIB);
    const reason = new Error('given up');
    const controller = new AbortController();
    const large = expect(budget.open(8 * MIB).grow(controller.signal)).rejects.toBe(reason);
    const small = budget.open(256 * KIB).grow();
    controller.abort(reason);
    await large;
    expect(budget.waiting).toBe(1);
    rest.release();
    await small;
    expect(budget.waiting).toBe(0);
    await expect(budget.open(MIB).grow(controller.signal)).rejects.toBe(reason);
  });

  test('a second release gives nothing back', async () => {
    const budget = createByteBudget(8 * MIB);
    const first = await full(budget, MIB);
    first.release();
    const second = await full(budget, MIB);
    first.release();
    expect(budget.reservedBytes).toBe(MIB);
    second.release();
    expect(budget.reservedBytes).toBe(0);
  });

  test('whatever comes in whatever order: no byte is shared, no limit passed, and everything is filled', async () => {
    const step = fc.record({
      bytes: fc.oneof(fc.integer({ min: 1, max: MIB }), fc.integer({ min: 1, max: 14 * MIB })),
      growths: fc.nat(6),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const budget = createByteBudget(16 * MIB);
        const lives = steps.map(async ({ bytes, growths }, i) => {
          const room = budget.open(bytes);
          const mark = Buffer.alloc(8);
          mark.writeUInt32BE(i);
          for (let n = 0; room.buffer.length < bytes; n++) {
            // Some stop for a while with what they have.
            if (n === growths) for (let turn = 0; turn < 50; turn++) await Promise.resolve();
            await room.grow();
            expect(budget.reservedBytes).toBeLessThanOrEqual(16 * MIB);
            if (n === 0) mark.copy(room.buffer);
          }
          const kept = Math.min(mark.length, room.buffer.length);
          expect(room.buffer.subarray(0, kept).equals(mark.subarray(0, kept))).toBe(true);
          room.release();
        });
        await Promise.all(lives);
        expect(budget).toMatchObject({ reservedBytes: 0, waiting: 0 });
      }),
      { numRuns: 60 },
    );
  });
});
