import type * as control from '../../core/batch/control.ts';
import type * as deletion from '../../core/batch/delete.ts';
import type * as files from '../../core/batch/files.ts';
import type * as once from '../../core/batch/once.ts';
import type * as planList from '../../core/batch/plan-list.ts';
import type * as status from '../../core/batch/status.ts';
import type * as submit from '../../core/batch/submit.ts';
import type * as sweep from '../../core/batch/sweep.ts';
import type * as downloadStatus from '../../core/download/status.ts';
import type * as failure from '../../core/model/failure.ts';
import type * as turn from '../../core/turn/turn.ts';

/** The parts of the core that a simulation runs: the real ones, or a copy of them with one rule taken away. */
export type Core = typeof control &
  typeof deletion &
  typeof files &
  typeof once &
  typeof planList &
  typeof status &
  typeof submit &
  typeof sweep &
  typeof downloadStatus &
  typeof failure &
  typeof turn;

/** Loads the core from a folder. */
export async function loadCore(folder: string): Promise<Core> {
  const parts = [
    'batch/control',
    'batch/delete',
    'batch/files',
    'batch/once',
    'batch/plan-list',
    'batch/status',
    'batch/submit',
    'batch/sweep',
    'download/status',
    'model/failure',
    'turn/turn',
  ];
  const core = {};
  // One after the other: of what is loaded at once a shared module can be made twice, and its classes with it.
  for (const part of parts) Object.assign(core, await import(`${folder}/${part}.ts`));
  return core as Core;
}
