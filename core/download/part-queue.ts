import type { ByteBudget, Room } from './byte-budget.ts';
import { createFreeParts } from './free-parts.ts';

/** A part to be fetched, and the memory for it. */
export interface Task {
  number: number;
  room: Room;
}

export type PartQueue = ReturnType<typeof createPartQueue>;

/**
 * The parts of a file that nobody fetches, and who takes which: from the end, or the next one where they have to be seen
 * in their order.
 *
 * Rooms: in order, **who has claimed a part has all of its room**, and one that failed is given back with it. Else parts
 * that wait for their turn could keep the memory that the one before them needs.
 */
export function createPartQueue(deps: {
  budget: ByteBudget;
  /** Of parts that are not in the store. */
  numbers: readonly number[];
  bytesOf: (number: number) => number;
  inOrder: boolean;
}) {
  const { bytesOf, inOrder } = deps;
  const free = createFreeParts(deps.numbers);
  /** Rooms of those among them that were given back. */
  const rooms = new Map<number, Room>();
  /** Ends waits for room, since there is a part now that has one. */
  let givenBack = new AbortController();

  const open = (number: number) => deps.budget.open(bytesOf(number));

  async function take(until: AbortSignal): Promise<Task | undefined> {
    const back = takeGivenBack();
    const { first } = free;
    if (back || first === undefined) return back;
    if (!inOrder) {
      const number = free.pop() ?? first;
      return { number, room: open(number) };
    }
    const room = open(first);
    try {
      while (room.buffer.length < bytesOf(first)) await room.grow(until);
      // Meanwhile others may have taken it, or given one back.
      const instead = takeGivenBack();
      if (instead === undefined && free.first === first) return { number: free.shift() ?? first, room };
      room.release();
      return instead ?? (await take(until));
    } catch (error) {
      room.release();
      throw error;
    }
  }

  function takeGivenBack(): Task | undefined {
    const number = free.first;
    const room = number === undefined ? undefined : rooms.get(number);
    if (number === undefined || !room) return undefined;
    free.shift();
    rooms.delete(number);
    return { number, room };
  }

  return {
    free,
    /** The next part to be fetched; `undefined` if there is none. Errors: the signal's reason. */
    take,
    /** Has a part that could not be fetched be anybody's. */
    giveBack({ number, room }: Task): void {
      free.add(number);
      if (!inOrder) room.release();
      else {
        rooms.set(number, room);
        givenBack.abort();
        givenBack = new AbortController();
      }
    },
    /** Whether a part is the next one, and needs a room. */
    isNext: (number: number) => free.first === number && !rooms.has(number),
    /** Aborted when a part is given back that needs no room: waiting for one may be in vain then. */
    get roomless() {
      return givenBack.signal;
    },
    /** Gives back all memory of parts that nobody has taken. */
    release(): void {
      for (const room of rooms.values()) room.release();
    },
  };
}
