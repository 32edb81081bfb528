import { ObjectStoreError } from '../../core/ports/object-store.ts';

/** What the system answers when a key's name, or something that stands in its way, is the reason. */
const CONFLICTS = new Set(['EEXIST', 'EILSEQ', 'EINVAL', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOTDIR']);

/** The system's name of an error, as `ENOENT`; `undefined` for errors that do not come from the system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined;
}

/** Answers `fallback` in place of an error whose code is among `codes`. */
export function unless<T>(codes: readonly string[], fallback: T): (error: unknown) => T {
  return (error) => {
    if (codes.includes(codeOf(error) ?? '')) return fallback;
    throw error;
  };
}

export function keyConflict(reason: string, options?: ErrorOptions): ObjectStoreError {
  return new ObjectStoreError('KEY_CONFLICT', `the folder cannot keep this key: ${reason}`, options);
}

/** For steps at a key's own path: the errors that lie in its name or in what stands in its way are conflicts. */
export async function atKey<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error) ?? '';
    throw CONFLICTS.has(code) ? keyConflict(code, { cause: error }) : error;
  }
}

/** Runs one call of the store: not at all once `signal` is aborted, and with the system's errors made the port's. */
export async function call<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    throw new ObjectStoreError('UNAVAILABLE', `the disk failed (${code})`, { cause: error });
  }
}
