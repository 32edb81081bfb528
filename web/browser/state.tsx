import type { StatusDocument } from '../../http/documents.ts';
import { visible } from './visible.ts';

type State = StatusDocument['state'];

/** Whether anything of a batch will still change. */
export function isOpen(state: State): boolean {
  return state !== 'finished' && state !== 'cancelled' && state !== 'rejected';
}

export function StateBadge({ state }: { state: State }) {
  return <span class={`badge ${state}`}>{state}</span>;
}

export function batchName(name: string | undefined): string {
  return name === undefined ? 'Unnamed batch' : visible(name);
}
