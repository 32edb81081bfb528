import type { Slice } from './downloader.ts';

export type FreeParts = ReturnType<typeof createFreeParts>;

/** Numbers of the parts of a file that nobody fetches, in their order. */
export function createFreeParts(numbers: readonly number[]) {
  const free = [...numbers];

  /** Others have these. */
  function leave({ first, last }: Slice): void {
    const from = free.findIndex((number) => number >= first);
    if (from < 0) return;
    const behind = free.findIndex((number) => number > last);
    free.splice(from, (behind < 0 ? free.length : behind) - from);
  }

  return {
    leave,
    get count() {
      return free.length;
    },
    get first() {
      return free[0];
    },
    shift: () => free.shift(),
    pop: () => free.pop(),
    add(number: number): void {
      free.splice(free.findLastIndex((other) => other < number) + 1, 0, number);
    },
    /** Takes up to so many, side by side: the end of the longest run. */
    take(most: number): Slice | undefined {
      let end = 0;
      let longest = 0;
      let run = 0;
      for (const [at, number] of free.entries()) {
        run = free[at - 1] === number - 1 ? run + 1 : 1;
        if (run >= longest) [longest, end] = [run, at];
      }
      const last = free[end];
      if (last === undefined || most < 1) return undefined;
      const slice = { first: last - Math.min(most, longest) + 1, last };
      leave(slice);
      return slice;
    },
  };
}
