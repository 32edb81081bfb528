import type { ObjectHeaders, ObjectStore, Part } from '../ports/object-store.ts';
import type { Reservation } from './byte-budget.ts';

const MIB = 1024 ** 2;
/** Up to here an object is written by one PUT; larger ones are written in parts of at least this many bytes. */
export const SINGLE_PUT_BYTES = 8 * MIB;
/** Parts of one object, S3's limit. */
export const MAX_PARTS = 10_000;
/** Bytes that a writer keeps without asking for room: most files of the web fit, and wait for nobody. */
const ALLOWANCE_BYTES = 128 * 1024;
/** Parts of one object that are under way to the store at once. */
const PARTS_IN_FLIGHT = 2;

/** Bytes of a part, `least` or more, so that an object of `objectBytes` has no more parts than a store takes. */
export function partBytesFor(objectBytes: number, least = SINGLE_PUT_BYTES): number {
  return objectBytes <= least * MAX_PARTS ? least : Math.ceil(objectBytes / MAX_PARTS / MIB) * MIB;
}

/** An upload with its first parts, without a gap. */
export interface BegunUpload {
  uploadId: string;
  parts: readonly Part[];
}

export interface ObjectWriterOptions {
  /** Bytes of every part but the last. */
  partBytes?: number;
  /** Most bytes that the object can have, where known: no room is taken beyond it. */
  limitBytes?: number;
  /** Where room for a large object comes from; the writer's own memory if left out. */
  reserve?: (bytes: number, signal?: AbortSignal) => Promise<Reservation>;
  /** Goes on with an upload; its parts have `partBytes` bytes each. */
  begun?: BegunUpload | undefined;
  /** Called whenever there are more parts without a gap from the first; not for what `finish` sends. */
  onProgress?: ((upload: BegunUpload) => void) | undefined;
  /** Aborts waiting, PUTs and parts. */
  signal?: AbortSignal;
}

/**
 * Writes one object piece by piece: what is small by one PUT at the end, what is larger in parts while it comes. Calls
 * must not overlap. Errors: the store's; the signal's reason.
 */
export interface ObjectWriter extends AsyncDisposable {
  /** Takes a piece, which is the caller's again afterwards; waits where the store is slower than the caller. */
  write: (piece: Buffer) => Promise<void>;
  /** Makes the object visible. `metadata` is added where one PUT stores it; parts have theirs from the start. */
  finish: (metadata?: Readonly<Record<string, string>>) => Promise<void>;
  /**
   * Gives the object up unless it is finished: waits for what is under way (abort the signal first to cut it short),
   * then forgets the upload. Never throws.
   */
  abort: () => Promise<void>;
  /** Like `abort`, but leaves the upload and its parts to who goes on with them. */
  leave: () => Promise<void>;
}

const NO_ROOM: Reservation = { buffer: Buffer.alloc(0), release: () => undefined };

function plainMemory(bytes: number): Reservation {
  return { buffer: Buffer.allocUnsafeSlow(bytes), release: () => undefined };
}

/** A writer's own memory: as many buffers as are in use at once, over and over, since garbage of their size lies long. */
function createOwnMemory(): NonNullable<ObjectWriterOptions['reserve']> {
  const free: Buffer[] = [];
  return (bytes) => {
    const at = free.findIndex((buffer) => buffer.length >= bytes);
    const buffer = free.splice(at, at < 0 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(bytes);
    return Promise.resolve({ buffer: buffer.subarray(0, bytes), release: () => void free.push(buffer) });
  };
}

/** A writer of the object `key`. Nothing is stored before the first part is full or `finish` is called. */
export function createObjectWriter(
  store: ObjectStore,
  key: string,
  headers: ObjectHeaders,
  options: ObjectWriterOptions = {},
): ObjectWriter {
  const { partBytes = SINGLE_PUT_BYTES, limitBytes = partBytes * MAX_PARTS, signal } = options;
  const reserve = options.reserve ?? createOwnMemory();
  const begun = options.begun?.parts ?? [];
  /** Those sent by this writer. */
  const parts: Promise<Part>[] = [];
  /** Those of the upload that have landed without a gap. */
  const landed = [...begun];
  const ahead = new Map<number, Part>();
  /** Parts under way, and those that failed, which thus fail whatever waits for room next. */
  const inFlight = new Set<Promise<Part>>();
  let upload = options.begun && Promise.resolve(options.begun.uploadId);
  let room = NO_ROOM;
  let used = 0;
  let sent = begun.reduce((sum, { bytes }) => sum + bytes, 0);
  /** The last part comes: it may be shorter, and there is nothing behind it to go on with. */
  let finishing = false;
  let ended = false;

  /** Called with `room` full. Waits for a reservation only while every byte so far is with the store or in the allowance. */
  async function makeRoom(): Promise<void> {
    const left = limitBytes - sent - used;
    if (left <= 0) throw new RangeError('more bytes than the announced limit');
    if (used === 0 && sent === 0) {
      room = plainMemory(Math.min(ALLOWANCE_BYTES, partBytes, limitBytes));
    } else if (sent === 0 && used < partBytes) {
      const allowance = room.buffer;
      room = await reserve(Math.min(partBytes, limitBytes), signal);
      allowance.copy(room.buffer);
    } else {
      if (used > 0) await sendPart();
      room = await reserve(Math.min(partBytes, left), signal);
    }
  }

  async function sendPart(): Promise<void> {
    while (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight);
    const { buffer, release } = room;
    const body = buffer.subarray(0, used);
    sent += used;
    room = NO_ROOM;
    used = 0;
    // Without the signal: an upload whose id never came could not be aborted.
    upload ??= store.createUpload(key, { ...headers, partBytes });
    const part = putPart(upload, begun.length + parts.length + 1, body, !finishing).finally(release);
    parts.push(part);
    inFlight.add(part);
    part.then(
      () => inFlight.delete(part),
      () => undefined, // stays in flight, for whoever comes next
    );
  }

  async function putPart(upload: Promise<string>, number: number, body: Buffer, whole: boolean): Promise<Part> {
    const uploadId = await upload;
    const part = await store.putPart(key, uploadId, number, body, { signal });
    if (whole) progress(uploadId, part);
    return part;
  }

  function progress(uploadId: string, part: Part): void {
    ahead.set(part.number, part);
    const before = landed.length;
    for (let next = ahead.get(before + 1); next; next = ahead.get(landed.length + 1)) {
      ahead.delete(next.number);
      landed.push(next);
    }
    if (landed.length > before) options.onProgress?.({ uploadId, parts: landed.slice() });
  }

  async function write(piece: Buffer): Promise<void> {
    for (let rest = piece; rest.length > 0;) {
      if (used === room.buffer.length) await makeRoom();
      const copied = rest.copy(room.buffer, used);
      used += copied;
      rest = rest.subarray(copied);
    }
  }

  async function finish(metadata?: Readonly<Record<string, string>>): Promise<void> {
    if (upload === undefined) {
      const body = room.buffer.subarray(0, used);
      await store.put(key, body, { ...headers, metadata: { ...headers.metadata, ...metadata }, signal });
    } else {
      finishing = true;
      if (used > 0) await sendPart();
      await store.completeUpload(key, await upload, [...begun, ...(await Promise.all(parts))], { signal });
    }
    ended = true;
    room.release();
  }

  async function leave(): Promise<void> {
    ended = true;
    await Promise.allSettled(parts); // a store may not forget an upload while its parts arrive
    room.release();
    room = NO_ROOM;
  }

  async function abort(): Promise<void> {
    if (ended) return;
    await leave();
    const id = await upload?.catch(() => undefined);
    // What cannot be aborted is left to the store's own expiry of uploads.
    if (id !== undefined) await store.abortUpload(key, id).catch(() => undefined);
  }

  return { write, finish, abort, leave, [Symbol.asyncDispose]: abort };
}
