/** Indexes of one block: 8 KiB. */
const BLOCK_INDEXES = 65_536;

/** A set of entries by their indexes: a bit each, so that ten million of them take little more than a megabyte. */
export interface IndexSet {
  add(index: number): void;
  has(index: number): boolean;
}

export function createIndexSet(): IndexSet {
  const blocks = new Map<number, Uint8Array>();
  const blockOf = (index: number) => Math.floor(index / BLOCK_INDEXES);
  const byteOf = (index: number) => (index % BLOCK_INDEXES) >> 3;
  const bitOf = (index: number) => 1 << (index & 7);

  return {
    add(index) {
      let block = blocks.get(blockOf(index));
      if (!block) blocks.set(blockOf(index), (block = new Uint8Array(BLOCK_INDEXES / 8)));
      block[byteOf(index)] = (block[byteOf(index)] ?? 0) | bitOf(index);
    },
    has: (index) => ((blocks.get(blockOf(index))?.[byteOf(index)] ?? 0) & bitOf(index)) !== 0,
  };
}
