/** No number. */
export const NONE = -1;
const FIRST_SLOTS = 1024;
/** A slot is a hash and, behind it, what has it plus one; 0 there says that the slot is free. */
const SLOT_WORDS = 2;
/** The hash of no bytes. Signed, as those that follow: else numbers would be kept as doubles. */
const OFFSET_BASIS = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

/** FNV-1a of some bytes, 32 bits as a signed number (RFC 9923). */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = OFFSET_BASIS;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), PRIME);
  return hash;
}

/**
 * Finds what is numbered from 0 by its hash: open addressing. A hash lies beside its number, so that a look costs one access
 * to memory that no cache has, which is most of what it takes.
 */
export interface HashIndex {
  readonly count: number;
  /** Takes in the next one; answers its number. */
  add(hash: number): number;
  /** The first one that has this hash; `NONE` where there is none. */
  first(hash: number): number;
  /** The one with this hash behind `number`, which has it, too; `NONE` where there is no other. */
  after(number: number, hash: number): number;
}

export function createHashIndex(): HashIndex {
  let count = 0;
  let words = new Int32Array(FIRST_SLOTS * SLOT_WORDS);
  /** Picks a slot out of a hash. */
  let mask = words.length - SLOT_WORDS;

  function put(hash: number, number: number): void {
    let at = (hash << 1) & mask;
    while (words[at + 1] !== 0) at = (at + SLOT_WORDS) & mask;
    words[at] = hash;
    words[at + 1] = number + 1;
  }

  function grow(): void {
    const old = words;
    words = new Int32Array(2 * old.length);
    mask = words.length - SLOT_WORDS;
    for (let at = 0; at < old.length; at += SLOT_WORDS) {
      const number = (old[at + 1] ?? 0) - 1;
      if (number !== NONE) put(old[at] ?? 0, number);
    }
  }

  return {
    get count() {
      return count;
    },
    add(hash) {
      if (2 * count * SLOT_WORDS >= words.length) grow();
      put(hash, count);
      return count++;
    },
    first(hash) {
      let at = (hash << 1) & mask;
      while (words[at + 1] !== 0 && words[at] !== hash) at = (at + SLOT_WORDS) & mask;
      return (words[at + 1] ?? 0) - 1;
    },
    after(number, hash) {
      let isBehind = false;
      for (let at = (hash << 1) & mask; words[at + 1] !== 0; at = (at + SLOT_WORDS) & mask) {
        if (isBehind && words[at] === hash) return (words[at + 1] ?? 0) - 1;
        if (words[at + 1] === number + 1) isBehind = true;
      }
      return NONE;
    },
  };
}
