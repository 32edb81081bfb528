import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import type { Service } from './service.ts';

/** An id for a batch or a list. Ids are ordered by the time that they hold. */
export function newId({ clock, random }: Pick<Service, 'clock' | 'random'>): string {
  return uuidv7({ msecs: clock.now(), random: randomBytes(random) });
}

/** The time that an id holds, in milliseconds since the epoch. */
export function timeOf(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

/** What nobody else has: who finds it in a record after a lost answer knows that the write was its own. */
export function newToken(random: Service['random']): string {
  return uuidv4({ random: randomBytes(random) });
}

function randomBytes(random: Service['random']): Uint8Array {
  return Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256));
}
