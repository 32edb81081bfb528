import { createCipheriv } from 'node:crypto';

const CHUNK_BYTES = 1_000_000;
const CHUNKS = 300;

/** A file of 300 MB that exists only while it is sent: the same bytes every time, and none twice in a row. */
export const BIG_FILE = {
  bytes: CHUNK_BYTES * CHUNKS,
  sha256: 'ce636b1e8f53c354e78b4c195fe5b5e09d6e88f9f3276a90171130d416569fc2',
};

/** The file's bytes, chunk by chunk. */
export function* bigFile(): Generator<Buffer> {
  // A cipher's keystream looks random, costs next to nothing and depends on the key alone.
  const keystream = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let chunk = 0; chunk < CHUNKS; chunk += 1) yield keystream.update(zeros);
}
