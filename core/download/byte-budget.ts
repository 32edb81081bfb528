import { createMemory, type Block } from './memory.ts';

const MIB = 1024 ** 2;

/**
 * Bytes of memory in which one worker keeps the bodies of all its downloads, unless its host knows better: eight parts
 * of 8 MiB, for a host that shares its memory among several workers. bench/slow-store.ts measures what that comes to.
 */
export const DEFAULT_BUDGET_BYTES = 64 * MIB;

/** The budget is dealt out in units of this many bytes. */
const UNIT_BYTES = 256 * 1024;
/** Rooms up to this size are small. */
const SMALL_BYTES = MIB;
/** Of the budget, what large rooms leave to small ones; a budget of less than two parts of 8 MiB has nothing to spare. */
const SMALL_SHARE = 1 / 8;
const LEAST_SHARED_BYTES = 16 * MIB;

/** Memory for one body, or for one part of it. It is empty at first, and grows with what comes. */
export interface Room {
  /** What it has now, to be asked for again after each growth; whatever was in it is still there. */
  readonly buffer: Buffer;
  /**
   * Waits until it has at least twice of what it has, or all that it was opened for. One call at a time. Errors: the
   * signal's reason; a RangeError if it has all.
   */
  grow: (signal?: AbortSignal) => Promise<void>;
  /** Gives the memory back; the buffer must not be used afterwards. A second call does nothing. */
  release: () => void;
}

/**
 * A fixed number of bytes of memory, dealt out to rooms as they grow, by the banker's rule (Dijkstra, EWD 623): a room
 * grows only if thereafter some room could still be filled with what is free, some other one with what that gives
 * back, and so on to the last. It thus cannot deadlock as long as **who waits for one room holds no other that it must
 * itself fill or hand on first**: a room that is full waits for nothing but the store, and is then given back.
 *
 * A slow body so holds what came of it, and no more. Rooms are served in the order of their coming, those that have
 * something before those that have nothing; small ones need not wait for large ones, which leave them an eighth.
 */
export interface ByteBudget {
  /** The largest room there can be. */
  readonly maxRoomBytes: number;
  /** Bytes that rooms have now, whole units. */
  readonly reservedBytes: number;
  /** Most bytes that rooms ever had at once. */
  readonly peakBytes: number;
  /** Rooms that wait. */
  readonly waiting: number;
  /** An empty room that can grow to `bytes`. Errors: a RangeError for more than `maxRoomBytes`. */
  open: (bytes: number) => Room;
}

/** Whole units: what a room has, and what it may come to. */
interface Claim {
  held: number;
  readonly most: number;
}

interface Waiter {
  claim: Claim;
  next: number;
  grant: () => void;
}

/**
 * Copies as much of a piece to `at` as there is room for, unless it was read to there.
 *
 * @returns how much
 */
export function put(piece: Buffer, room: Buffer, at: number): number {
  const isThere = piece.buffer === room.buffer && piece.byteOffset === room.byteOffset + at;
  return isThere ? Math.min(piece.length, room.length - at) : piece.copy(room, at);
}

/** A budget of `maxBytes`, rounded down to whole units. */
export function createByteBudget(maxBytes: number): ByteBudget {
  const total = Math.floor(maxBytes / UNIT_BYTES) * UNIT_BYTES;
  const spared = total < LEAST_SHARED_BYTES ? 0 : inUnits(total * SMALL_SHARE);
  const memory = createMemory(total);
  /** Of rooms that have something. */
  const claims = new Set<Claim>();
  /** In the order of their coming. */
  const queue = new Set<Waiter>();
  let reserved = 0;
  let peak = 0;

  /** Whether all could still be filled, one after the other, once a room has `next` bytes. */
  function isSafe(claim: Claim, next: number): boolean {
    const after = [{ held: next, most: claim.most }];
    for (const other of claims) if (other !== claim) after.push(other);
    return canAllBeFilled(after, total) && canAllBeFilled(after.filter(isLarge), total - spared);
  }

  function tryGrow({ claim, next, grant }: Waiter): boolean {
    if (!isSafe(claim, next)) return false;
    reserved += next - claim.held;
    peak = Math.max(peak, reserved);
    claim.held = next;
    claims.add(claim);
    grant();
    return true;
  }

  /** Whether a room may have its first bytes although these wait since before. */
  function mayPass(claim: Claim, ahead: readonly Claim[]): boolean {
    if (ahead.length === 0) return true;
    if (isLarge(claim) || !ahead.every(isLarge)) return false;
    const small = [...claims].filter((other) => !isLarge(other));
    return small.reduce((sum, { most }) => sum + most, claim.most) <= spared;
  }

  function serve(): void {
    const ahead: Claim[] = [];
    // Those that have something first: what they have is free again only once they are full.
    const order = [...queue].sort((a, b) => Number(b.claim.held > 0) - Number(a.claim.held > 0));
    for (const waiter of order) {
      const isNew = waiter.claim.held === 0;
      if ((!isNew || mayPass(waiter.claim, ahead)) && tryGrow(waiter)) queue.delete(waiter);
      else ahead.push(waiter.claim);
    }
  }

  async function grow(claim: Claim, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (claim.held >= claim.most) throw new RangeError('the room has all that it was opened for');
    const next = Math.min(claim.most, Math.max(UNIT_BYTES, 2 * claim.held));
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter: Waiter = { claim, next, grant: () => resolve(undefined) };
    queue.add(waiter);
    serve();
    if (!queue.has(waiter)) return;
    const onAbort = () => {
      if (!queue.delete(waiter)) return; // granted already
      reject(signal?.reason as unknown);
      serve();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  function open(bytes: number): Room {
    if (bytes > total - spared) throw new RangeError(`${bytes} bytes are more than a room can have`);
    const claim: Claim = { held: 0, most: inUnits(bytes) };
    let block: Block | undefined;
    let buffer: Buffer = Buffer.alloc(0);
    return {
      get buffer() {
        return buffer;
      },
      async grow(signal) {
        await grow(claim, signal);
        block ??= memory.take(claim.most);
        buffer = block.hold(claim.held).subarray(0, bytes);
      },
      release() {
        if (claim.held === 0) return;
        block?.free();
        claims.delete(claim);
        reserved -= claim.held;
        claim.held = 0;
        serve();
      },
    };
  }

  return {
    maxRoomBytes: total - spared,
    get reservedBytes() {
      return reserved;
    },
    get peakBytes() {
      return peak;
    },
    get waiting() {
      return queue.size;
    },
    open,
  };
}

function inUnits(bytes: number): number {
  return Math.ceil(bytes / UNIT_BYTES) * UNIT_BYTES;
}

function isLarge({ most }: Claim): boolean {
  return most > SMALL_BYTES;
}

/** The banker's rule: those that lack the least are filled first, and what they have is the others' then. */
function canAllBeFilled(claims: readonly Claim[], bytes: number): boolean {
  let free = claims.reduce((left, { held }) => left - held, bytes);
  if (free < 0) return false;
  for (const { held, most } of claims.toSorted((a, b) => a.most - a.held - (b.most - b.held))) {
    if (most - held > free) return false;
    free += held;
  }
  return true;
}
