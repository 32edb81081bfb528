import type { ObjectHeaders, ObjectStore } from '../ports/object-store.ts';
import { put, type Room } from './byte-budget.ts';
import { METADATA } from './object-headers.ts';
import { createPartUpload, type PartUpload } from './part-upload.ts';

const MIB = 1024 ** 2;
/** Up to here an object is written by one PUT; larger ones are written in parts of at least this many bytes. */
export const SINGLE_PUT_BYTES = 8 * MIB;
/** Parts of one object, S3's limit. */
export const MAX_PARTS = 10_000;
/** Bytes that a writer keeps without asking for room: most files of the web fit, and wait for nobody. */
export const ALLOWANCE_BYTES = 128 * 1024;
/** Parts of one object that are under way to the store at once. */
const PARTS_IN_FLIGHT = 2;
const NOTHING = Buffer.alloc(0);
const NO_ROOM: Room = { buffer: NOTHING, grow: () => Promise.resolve(), release: () => undefined };

/** Bytes of a part, `least` or more, so that an object of `objectBytes` has no more parts than a store takes. */
export function partBytesFor(objectBytes: number, least = SINGLE_PUT_BYTES): number {
  return objectBytes <= least * MAX_PARTS ? least : Math.ceil(objectBytes / MAX_PARTS / MIB) * MIB;
}

export interface ObjectWriterOptions {
  /** Bytes of every part but the last. */
  partBytes?: number;
  /** Most bytes that the object can have, where known: no room is taken beyond it. */
  limitBytes?: number;
  /** Where the first `ALLOWANCE_BYTES` of an object wait, which take no room; memory of the writer's own if left out. */
  allowances?: ((bytes: number) => Room) | undefined;
  /** Where room for a large object comes from; the writer's own memory if left out. */
  open?: ((bytes: number) => Room) | undefined;
  /** Where parts go, which others may send some of; one of the writer's own if left out. */
  upload?: PartUpload | undefined;
  /** The part to begin with; those before it are in the upload. */
  firstPart?: number | undefined;
  /** Aborts waiting, PUTs and parts. */
  signal?: AbortSignal | undefined;
}

/**
 * Writes one object piece by piece: what is small by one PUT at the end, what is larger in parts while it comes. Calls
 * must not overlap. Errors: the store's; the signal's reason.
 */
export interface ObjectWriter extends AsyncDisposable {
  /** Takes a piece, which is the caller's again afterwards; waits where the store is slower than the caller. */
  write: (piece: Buffer) => Promise<void>;
  /** Where the object's bytes from `from` on have their place, as far as there is room for them. */
  space: (from: number) => Buffer;
  /** Between two parts: sends the one before, whose room is then only the store's to give back. */
  passOn: () => Promise<void>;
  /** Like `passOn`, and waits until there is room for all of the next part. */
  prepare: (signal: AbortSignal) => Promise<void>;
  /** Sends what is there as a part, whole or the object's last, and waits until all that was sent is stored. */
  flush: () => Promise<void>;
  /** Makes the object visible. The SHA-256 of all of it, if known, is kept beside it where one PUT stores it. */
  finish: (sha256?: string) => Promise<void>;
  /**
   * Gives the object up unless it is finished: waits for what is under way (abort the signal first to cut it short),
   * then forgets the upload. Never throws.
   */
  abort: () => Promise<void>;
  /** Like `abort`, but leaves the upload and its parts to who goes on with them. */
  leave: () => Promise<void>;
}

/** A writer of the object `key`. Nothing is stored before the first part is full or `finish` is called. */
export function createObjectWriter(
  store: ObjectStore,
  key: string,
  headers: ObjectHeaders,
  options: ObjectWriterOptions = {},
): ObjectWriter {
  const { partBytes = SINGLE_PUT_BYTES, limitBytes = partBytes * MAX_PARTS, firstPart = 1, signal } = options;
  const { open = reusedMemory(), allowances = reusedMemory() } = options;
  const upload = options.upload ?? createPartUpload(store, key, headers, { partBytes, signal });
  /** Parts under way, and those that failed, which thus fail whatever waits for room next. */
  const inFlight = new Set<Promise<void>>();
  let number = firstPart;
  let sent = (firstPart - 1) * partBytes;
  let room: Room = NO_ROOM;
  let used = 0;
  let isAllowance = false;
  let ended = false;

  /**
   * Called with all memory of `room` full. Waits for more only while every byte so far is with the store, in the
   * allowance or in this room.
   */
  async function makeRoom(): Promise<void> {
    const left = limitBytes - sent - used;
    if (left <= 0) throw new RangeError('more bytes than the announced limit');
    if (used === partBytes) await sendPart(true);
    const allowance = isAllowance && used > 0 ? room : undefined;
    isAllowance = used === 0 && number === 1;
    if (isAllowance) room = allowances(Math.min(ALLOWANCE_BYTES, partBytes, limitBytes));
    else if (used === 0 || allowance) room = open(Math.min(partBytes, limitBytes - sent));
    try {
      await room.grow(signal);
      allowance?.buffer.copy(room.buffer);
    } finally {
      allowance?.release();
    }
  }

  async function sendPart(isWhole: boolean): Promise<void> {
    while (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight);
    const { buffer, release } = room;
    const body = buffer.subarray(0, used);
    sent += used;
    room = NO_ROOM;
    used = 0;
    const part = upload.put(number++, body, isWhole).finally(release);
    inFlight.add(part);
    part.then(
      () => inFlight.delete(part),
      () => undefined, // stays in flight, for whoever comes next
    );
  }

  async function write(piece: Buffer): Promise<void> {
    for (let rest = piece; rest.length > 0;) {
      if (used === room.buffer.length) await makeRoom();
      const copied = put(rest, room.buffer, used);
      used += copied;
      rest = rest.subarray(copied);
    }
  }

  const space = (from: number) => room.buffer.subarray(from - sent);

  async function passOn(): Promise<void> {
    if (used > 0) await sendPart(true);
  }

  async function prepare(until: AbortSignal): Promise<void> {
    await passOn();
    const bytes = Math.min(partBytes, limitBytes - sent);
    room = open(bytes);
    while (room.buffer.length < bytes) await room.grow(until);
  }

  async function flush(): Promise<void> {
    // A shorter one can be gone on from if it is the last: others have those before it.
    if (used > 0) await sendPart(used === partBytes || sent + used === limitBytes);
    room.release();
    await Promise.all(inFlight);
  }

  async function finish(sha256?: string): Promise<void> {
    if (upload.isBegun) {
      // The last part may be shorter, and there is nothing behind it to go on with.
      if (used > 0) await sendPart(false);
      await Promise.all(inFlight);
      await upload.complete();
    } else {
      const body = room.buffer.subarray(0, used);
      const metadata = { ...headers.metadata, ...(sha256 !== undefined && { [METADATA.sha256]: sha256 }) };
      await store.put(key, body, { ...headers, metadata, sha256, signal });
    }
    ended = true;
    room.release();
  }

  async function leave(): Promise<void> {
    ended = true;
    await upload.leave();
    room.release();
    room = NO_ROOM;
  }

  async function abort(): Promise<void> {
    if (ended) return;
    ended = true;
    await upload.abort();
    room.release();
  }

  return { write, space, passOn, prepare, flush, finish, abort, leave, [Symbol.asyncDispose]: abort };
}

/**
 * Memory of `leastBytes` or more a piece, as many as are in use at once, over and over: garbage of their size lies long,
 * and has the collector run for the sake of what it does not own.
 */
export function reusedMemory(leastBytes = 0): (bytes: number) => Room {
  const free: Buffer[] = [];
  return (bytes) => {
    const at = free.findIndex(({ length }) => length >= bytes);
    const memory = free.splice(at, at < 0 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(Math.max(bytes, leastBytes));
    let isHeld = true;
    const room = {
      buffer: NOTHING as Buffer,
      grow() {
        room.buffer = memory.subarray(0, bytes);
        return Promise.resolve();
      },
      release() {
        if (isHeld) free.push(memory);
        isHeld = false;
      },
    };
    return room;
  };
}
