import { createHash } from 'node:crypto';

/** The bytes of a source's files: the same in every process, others in each file and in each piece of it. */

const MIB = 1024 ** 2;
const PIECE_BYTES = MIB / 4;
/** Primes, so that no two files and no two pieces next to each other begin at the same byte of the noise. */
const STEP_OF_FILE = 7919;
const STEP_OF_PIECE = 104_729;

let noise: Buffer | undefined;

/** Bytes `from` to before `to` of file number `file`. */
export function contentOf(file: number, from: number, to: number): Buffer {
  noise ??= createHash('shake256', { outputLength: MIB + PIECE_BYTES })
    .update('downburst')
    .digest();
  const pieces: Buffer[] = [];
  for (let at = from; at < to;) {
    const piece = Math.floor(at / PIECE_BYTES);
    const end = Math.min(to, (piece + 1) * PIECE_BYTES);
    const start = ((file * STEP_OF_FILE + piece * STEP_OF_PIECE) % MIB) + (at % PIECE_BYTES);
    pieces.push(noise.subarray(start, start + (end - at)));
    at = end;
  }
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}

/** What file number `file` is called, at the source and where it is stored. */
export function fileName(file: number): string {
  return `f${String(file).padStart(7, '0')}.bin`;
}

/** The number of a file that is called so; undefined if none is. */
export function fileNumber(name: string): number | undefined {
  const digits = /^f(\d{7})\.bin$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
