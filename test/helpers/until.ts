import { setImmediate } from 'node:timers/promises';

/** Waits, turn by turn of the event loop, until a condition holds. One that never does ends with the test's time. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await setImmediate();
}
