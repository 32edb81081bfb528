import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createByteBudget, type Reservation } from '../../../core/download/byte-budget.ts';

const MIB = 1024 ** 2;
const KIB = 1024;

describe('a byte budget', () => {
  test('gives exactly the bytes asked for, and the same memory again', async () => {
    const budget = createByteBudget(8 * MIB);
    const first = await budget.reserve(300 * KIB);
    expect(first.buffer).toHaveLength(300 * KIB);
    first.release();
    const again = await budget.reserve(300 * KIB);
    expect(again.buffer.buffer).toBe(first.buffer.buffer);
    expect(budget).toMatchObject({ maxBytes: 8 * MIB, reservedBytes: 512 * KIB, peakBytes: 512 * KIB, waiting: 0 });
  });

  test('can be reserved as a whole, and not beyond', async () => {
    const budget = createByteBudget(8 * MIB);
    await expect(budget.reserve(8 * MIB + 1)).rejects.toThrow(RangeError);
    const all = await budget.reserve(8 * MIB);
    expect(all.buffer).toHaveLength(8 * MIB);
  });

  test('serves who waits in the order of their coming, large ones included', async () => {
    const budget = createByteBudget(8 * MIB);
    const order: string[] = [];
    const wait = async (name: string, bytes: number) => {
      const reservation = await budget.reserve(bytes);
      order.push(name);
      return reservation;
    };
    const first = await wait('first', 5 * MIB);
    const large = wait('large', 8 * MIB);
    const small = wait('small', MIB); // there is room for it, but it came later
    expect(budget.waiting).toBe(2);
    first.release();
    (await large).release();
    await small;
    expect(order).toEqual(['first', 'large', 'small']);
  });

  test('who stops waiting makes way for the next', async () => {
    const budget = createByteBudget(8 * MIB);
    await budget.reserve(5 * MIB);
    const reason = new Error('given up');
    const controller = new AbortController();
    const large = expect(budget.reserve(8 * MIB, controller.signal)).rejects.toBe(reason);
    const small = budget.reserve(MIB);
    controller.abort(reason);
    await large;
    await small;
    expect(budget.waiting).toBe(0);
    await expect(budget.reserve(MIB, controller.signal)).rejects.toBe(reason);
  });

  test('a second release gives nothing back', async () => {
    const budget = createByteBudget(8 * MIB);
    const first = await budget.reserve(MIB);
    first.release();
    const second = await budget.reserve(MIB);
    first.release();
    expect(budget.reservedBytes).toBe(MIB);
    second.release();
    expect(budget.reservedBytes).toBe(0);
  });

  test('no two reservations share a byte, and all that is waited for comes', async () => {
    const step = fc.record({ bytes: fc.integer({ min: 1, max: 12 * MIB }), releases: fc.nat(3), which: fc.nat(1000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const budget = createByteBudget(16 * MIB);
        const held: Reservation[] = [];
        const all: Promise<unknown>[] = [];
        const releaseOne = (which: number) => held.splice(which % Math.max(held.length, 1), 1)[0]?.release();
        for (const { bytes, releases, which } of steps) {
          all.push(budget.reserve(bytes).then((reservation) => held.push(reservation)));
          for (let i = 0; i < releases; i++) releaseOne(which + i);
          await Promise.resolve();
          const ranges = held.map(({ buffer }) => [buffer.byteOffset, buffer.byteOffset + buffer.length] as const);
          ranges.sort(([a], [b]) => a - b);
          for (const [i, [from]] of ranges.entries()) expect(from).toBeGreaterThanOrEqual(ranges[i - 1]?.[1] ?? 0);
          expect(budget.reservedBytes).toBeLessThanOrEqual(16 * MIB);
        }
        while (budget.waiting > 0 || held.length > 0) {
          releaseOne(0);
          await Promise.resolve();
        }
        await Promise.all(all);
        while (held.length > 0) releaseOne(0);
        expect(budget.reservedBytes).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
