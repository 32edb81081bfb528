import { enlarged } from './enlarged.ts';
import { createHashIndex, hashBytes, NONE } from './hash-index.ts';

const FIRST_HOSTS = 64;
const FIRST_BYTES = 4096;

/**
 * The hosts of a list, numbered from 0 in the order in which they came. Names are kept as bytes: to make a string of every
 * line's host, only to look it up, would take longer than the look-up.
 */
export interface HostTable {
  readonly count: number;
  /** The number of the host that is named by these bytes; a new one gets the next. */
  numberOf(bytes: Buffer, from: number, to: number): number;
  /** The number of a host that has one; `NONE` for others. */
  find(name: string): number;
  name(number: number): string;
}

export function createHostTable(): HostTable {
  const index = createHashIndex();
  /** All names, one behind the other, and where each ends. */
  let names = Buffer.allocUnsafeSlow(FIRST_BYTES);
  let ends = new Uint32Array(FIRST_HOSTS);
  const start = (number: number) => ends[number - 1] ?? 0;

  function find(hash: number, bytes: Buffer, from: number, to: number): number {
    let number = index.first(hash);
    while (number !== NONE && !isNamed(number, bytes, from, to)) number = index.after(number, hash);
    return number;
  }

  function isNamed(number: number, bytes: Buffer, from: number, to: number): boolean {
    const first = start(number);
    if ((ends[number] ?? 0) - first !== to - from) return false;
    for (let i = 0; i < to - from; i++) if (names[first + i] !== bytes[from + i]) return false;
    return true;
  }

  function add(hash: number, bytes: Buffer, from: number, to: number): number {
    const number = index.add(hash);
    const end = start(number) + to - from;
    if (number === ends.length) ends = enlarged(ends, new Uint32Array(2 * number));
    while (end > names.length) names = enlarged(names, Buffer.allocUnsafeSlow(2 * names.length));
    bytes.copy(names, start(number), from, to);
    ends[number] = end;
    return number;
  }

  return {
    get count() {
      return index.count;
    },
    numberOf(bytes, from, to) {
      const hash = hashBytes(bytes, from, to);
      const known = find(hash, bytes, from, to);
      return known === NONE ? add(hash, bytes, from, to) : known;
    },
    find(name) {
      const bytes = Buffer.from(name);
      return find(hashBytes(bytes, 0, bytes.length), bytes, 0, bytes.length);
    },
    name: (number) => names.toString('utf8', start(number), ends[number]),
  };
}
