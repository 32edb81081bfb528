const MIB = 1024 ** 2;

/**
 * Bytes of memory in which one worker keeps the bodies of all its downloads, unless its host knows better: eight parts
 * of 8 MiB, for a host that shares its memory among several workers. bench/memory.ts measures what that comes to.
 */
export const DEFAULT_BUDGET_BYTES = 64 * MIB;

/** The budget is dealt out in units of this many bytes. */
const UNIT_BYTES = 256 * 1024;
/** From how many units a reservation counts as large: a part of 8 MiB. */
const LARGE_UNITS = 32;

/** A piece of the budget's memory. */
export interface Reservation {
  /** Exactly as many bytes as were asked for; whatever was in them before is still there. */
  readonly buffer: Buffer;
  /** Gives the memory back; the buffer must not be used afterwards. A second call does nothing. */
  release: () => void;
}

/**
 * A fixed block of memory that is dealt out to whoever needs room for a large body, first come, first served.
 *
 * It cannot deadlock as long as its users keep one rule: **who waits for a reservation holds none that it must itself
 * fill or hand on first**. A holder's buffers are then either being filled from its source (bounded by time limits)
 * or being written to the store (bounded likewise), and both end in a release without any further reservation.
 */
export interface ByteBudget {
  /** The largest reservation there can be. */
  readonly maxBytes: number;
  /** Bytes reserved now, whole units. */
  readonly reservedBytes: number;
  /** Most bytes that were ever reserved at once. */
  readonly peakBytes: number;
  /** Reservations that are waited for. */
  readonly waiting: number;
  /** Waits for `bytes` bytes. Errors: the signal's reason; a RangeError for more than `maxBytes`. */
  reserve: (bytes: number, signal?: AbortSignal) => Promise<Reservation>;
}

interface Waiter {
  bytes: number;
  grant: (reservation: Reservation) => void;
}

/**
 * A budget of `maxBytes`, rounded down to whole units. It is one block, used over and over: resident memory grows to
 * what was in use at once, and no further, since nothing is left for a garbage collector or to fragmentation.
 */
export function createByteBudget(maxBytes: number): ByteBudget {
  const units = Math.floor(maxBytes / UNIT_BYTES);
  const block = Buffer.allocUnsafeSlow(units * UNIT_BYTES);
  const taken = new Uint8Array(units);
  const queue = new Set<Waiter>();
  let reserved = 0;
  let peak = 0;

  /** The first of `count` neighbouring free units, looked for from the block's start or from its end. */
  function findRun(count: number, fromEnd: boolean): number | undefined {
    let run = 0;
    for (let step = 0; step < units; step++) {
      const unit = fromEnd ? units - 1 - step : step;
      run = taken[unit] === 0 ? run + 1 : 0;
      if (run === count) return fromEnd ? unit : unit - count + 1;
    }
    return undefined;
  }

  function take(bytes: number): Reservation | undefined {
    const count = Math.ceil(bytes / UNIT_BYTES);
    if (count > units - reserved) return undefined;
    // Small ones go to the end, so that they do not lie scattered where a large one needs neighbouring units.
    const first = findRun(count, count < LARGE_UNITS);
    if (first === undefined) return undefined;
    taken.fill(1, first, first + count);
    reserved += count;
    peak = Math.max(peak, reserved);
    let held = true;
    return {
      buffer: block.subarray(first * UNIT_BYTES, first * UNIT_BYTES + bytes),
      release: () => {
        if (!held) return;
        held = false;
        taken.fill(0, first, first + count);
        reserved -= count;
        serveQueue();
      },
    };
  }

  function serveQueue(): void {
    for (const waiter of queue) {
      const reservation = take(waiter.bytes);
      if (reservation === undefined) return; // whoever came later waits too, or a large one would starve
      queue.delete(waiter);
      waiter.grant(reservation);
    }
  }

  async function reserve(bytes: number, signal?: AbortSignal): Promise<Reservation> {
    signal?.throwIfAborted();
    if (bytes > block.length) throw new RangeError(`${bytes} bytes are more than the whole budget`);
    const now = queue.size === 0 ? take(bytes) : undefined;
    if (now !== undefined) return now;

    const { promise, resolve, reject } = Promise.withResolvers<Reservation>();
    const waiter: Waiter = { bytes, grant: resolve };
    const onAbort = () => {
      if (!queue.delete(waiter)) return; // granted already
      reject(signal?.reason as unknown);
      serveQueue();
    };
    queue.add(waiter);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    maxBytes: block.length,
    get reservedBytes() {
      return reserved * UNIT_BYTES;
    },
    get peakBytes() {
      return peak * UNIT_BYTES;
    },
    get waiting() {
      return queue.size;
    },
    reserve,
  };
}
