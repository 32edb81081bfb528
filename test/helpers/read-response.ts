import { setImmediate } from 'node:timers/promises';
import type { Response } from '../../core/http1/connection.ts';
import { put } from '../../core/download/byte-budget.ts';

/** A response's body, all of it. Errors: what broke it. */
export async function readResponse(response: Response): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = response.read();
    if (piece) pieces.push(Buffer.from(piece));
    else if (response.hasEnded()) return Buffer.concat(pieces);
    else await response.changed();
  }
}

/** The same, of a body that is read straight into rooms of so many bytes, and how much of it had to be copied there all the same. */
export async function readIntoRooms(response: Response, bytes: number): Promise<{ body: Buffer; copied: number }> {
  const full: Buffer[] = [];
  let room = Buffer.alloc(bytes);
  let used = 0;
  let copied = 0;
  response.readInto((from) => room.subarray(from - full.length * bytes));
  for (;;) {
    const piece = response.read();
    if (piece === null) {
      if (response.hasEnded()) return { body: Buffer.concat([...full, room.subarray(0, used)]), copied };
      await response.changed();
      continue;
    }
    for (let rest = piece; rest.length > 0;) {
      if (used === bytes) {
        full.push(room);
        room = Buffer.alloc(0);
        await setImmediate();
        room = Buffer.alloc(bytes);
        used = 0;
      }
      const took = put(rest, room, used);
      if (rest.buffer !== room.buffer) copied += took;
      used += took;
      rest = rest.subarray(took);
    }
  }
}
