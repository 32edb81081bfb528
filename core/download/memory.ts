const MIB = 1024 ** 2;

/** A piece of memory that can grow in place. */
export interface Block {
  /** Its first `bytes` bytes, which must be at most as many as it was taken for; what was in them is still there. */
  hold: (bytes: number) => Buffer;
  /** Gives the piece back. */
  free: () => void;
}

export interface Memory {
  /** A piece that may grow to `bytes` bytes and holds none. */
  take: (bytes: number) => Block;
}

interface Piece {
  readonly memory: ArrayBuffer;
  held: number;
}

/**
 * Memory of at most `maxBytes` resident bytes, as long as no more are held, in pieces that grow without being copied.
 *
 * A piece is a resizable ArrayBuffer: addresses for all that it may come to, and memory for what it was made to hold.
 * What is given back stays resident, for the next one, since a fresh page costs 15 times as much as a copy into an old
 * one; it is given up where others need it. Nothing is left for a garbage collector or to fragmentation.
 */
export function createMemory(maxBytes: number): Memory {
  const pieces = new Set<Piece>();
  const idle: Piece[] = [];
  let resident = 0;

  function resize(piece: Piece, bytes: number): void {
    resident += bytes - piece.memory.byteLength;
    piece.memory.resize(bytes);
  }

  /** Makes way for so many more bytes: what nobody holds goes. */
  function makeWay(bytes: number): void {
    for (const piece of pieces) {
      const missing = resident + bytes - maxBytes;
      if (missing <= 0) return;
      const { memory, held } = piece;
      if (memory.byteLength > held) resize(piece, Math.max(held, memory.byteLength - missing));
    }
  }

  function take(bytes: number): Block {
    const at = idle.findLastIndex(({ memory }) => memory.maxByteLength >= bytes);
    const [piece = create(bytes)] = at < 0 ? [] : idle.splice(at, 1);
    return {
      hold(length) {
        piece.held = length;
        const more = length - piece.memory.byteLength;
        if (more > 0) {
          makeWay(more);
          resize(piece, length);
        }
        return Buffer.from(piece.memory, 0, length);
      },
      free() {
        piece.held = 0;
        idle.push(piece);
      },
    };
  }

  /** Of a size that others can use too. */
  function create(bytes: number): Piece {
    const maxByteLength = 2 ** Math.ceil(Math.log2(Math.max(bytes, MIB)));
    const piece = { memory: new ArrayBuffer(0, { maxByteLength }), held: 0 };
    pieces.add(piece);
    return piece;
  }

  return { take };
}
