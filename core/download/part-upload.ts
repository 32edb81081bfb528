import type { ObjectHeaders, ObjectStore, Part } from '../ports/object-store.ts';

/** An upload and those of its parts that have landed, in any order. */
export interface BegunUpload {
  uploadId: string;
  parts: readonly Part[];
}

export interface PartUploadOptions {
  /** Bytes of every part but the last. */
  partBytes: number;
  /** Goes on with an upload. */
  begun?: BegunUpload | undefined;
  /** Called whenever a part has landed that somebody can go on from, until the upload is given up. */
  onProgress?: ((upload: BegunUpload) => void) | undefined;
  /** Aborts the sending of parts, and the completion. */
  signal?: AbortSignal | undefined;
}

/** One object made of parts that come in any order, from one writer or several. Errors: the store's; the signal's reason. */
export interface PartUpload {
  /** Whether there is something to complete or to abort. */
  readonly isBegun: boolean;
  /** Its id, once a part has landed that somebody can go on from. */
  readonly id: string | undefined;
  /** Takes parts in that somebody else has stored. */
  adopt: (parts: readonly Part[]) => void;
  /**
   * Stores a part; the upload is begun with the first one. The body is the caller's again once this has settled.
   *
   * @param announced whether somebody can go on from the part; not from one that only this object has
   */
  put: (number: number, body: Buffer, announced?: boolean) => Promise<void>;
  /** Makes the object of all parts. */
  complete: () => Promise<void>;
  /** Gives the upload up unless it is complete: waits for what is under way, then forgets it. Never throws. */
  abort: () => Promise<void>;
  /** Like `abort`, but leaves the upload and its parts to who goes on with them. */
  leave: () => Promise<void>;
}

export function createPartUpload(
  store: ObjectStore,
  key: string,
  headers: ObjectHeaders,
  { partBytes, begun, onProgress, signal }: PartUploadOptions,
): PartUpload {
  /** By number; each a list of its own, since whoever was told of one keeps it. */
  let landed = begun?.parts ?? [];
  let known = landed;
  const underWay = new Set<Promise<void>>();
  let opening = begun && Promise.resolve(begun.uploadId);
  let isOver = false;

  async function send(number: number, body: Buffer, announced: boolean): Promise<void> {
    // Without the signal: an upload whose id never came could not be aborted.
    opening ??= store.createUpload(key, { ...headers, partBytes });
    upload.isBegun = true;
    const uploadId = await opening;
    const part = await store.putPart(key, uploadId, number, body, { signal });
    landed = withPart(landed, part);
    // One that lands while its upload is given up is nothing to go on from.
    if (!announced || isOver) return;
    known = withPart(known, part);
    upload.id = uploadId;
    onProgress?.({ uploadId, parts: known });
  }

  function adopt(parts: readonly Part[]): void {
    const uploadId = upload.id;
    if (uploadId === undefined || isOver) return;
    for (const part of parts) {
      landed = withPart(landed, part);
      known = withPart(known, part);
    }
    onProgress?.({ uploadId, parts: known });
  }

  async function settle(): Promise<void> {
    await Promise.allSettled(underWay); // a store may not forget an upload while its parts arrive
  }

  const upload = {
    isBegun: begun !== undefined,
    id: begun?.uploadId,
    adopt,
    async put(number: number, body: Buffer, announced = true) {
      const sending = send(number, body, announced);
      underWay.add(sending);
      try {
        await sending;
      } finally {
        underWay.delete(sending);
      }
    },
    async complete() {
      await store.completeUpload(key, (await opening) ?? '', landed, { signal });
      isOver = true;
    },
    leave: settle,
    async abort() {
      if (isOver) return;
      isOver = true;
      await settle();
      const begunId = await opening?.catch(() => undefined);
      // What cannot be aborted is left to the store's own expiry of uploads.
      if (begunId !== undefined) await store.abortUpload(key, begunId).catch(() => undefined);
    },
  };
  return upload;
}

function withPart(parts: readonly Part[], part: Part): Part[] {
  const before = parts.findLastIndex(({ number }) => number <= part.number);
  const replaced = parts[before]?.number === part.number;
  return parts.toSpliced(replaced ? before : before + 1, replaced ? 1 : 0, part);
}
