/** Memory that connections read into, all of one size, over and over: garbage of its kind the collector finds late. */
export interface Blocks {
  take: () => Buffer;
  /** Takes a block back that nobody else has anything of. */
  giveBack: (block: Buffer) => void;
}

/** Blocks that are kept for later, when no more are in use. */
const MAX_FREE = 64;

export function createBlocks(bytes: number): Blocks {
  const free: Buffer[] = [];
  return {
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(bytes),
    giveBack(block) {
      if (free.length < MAX_FREE) free.push(block);
    },
  };
}
