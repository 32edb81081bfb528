import type { Service } from '../batch/service.ts';
import { CHECKPOINT_MS, RENEW_MS } from '../model/limits.ts';
import type { Outcome } from '../model/outcome.ts';
import type { BatchRecord } from '../model/records.ts';
import { createByteWatch } from './byte-watch.ts';
import type { Checkpointer, Snapshot } from './checkpoint.ts';

export type Rounds = ReturnType<typeof createRounds>;

/** What a turn does by the clock while it works: checkpoints, and looks at the batch's record. */
export function createRounds(deps: {
  ledger: Service['ledger'];
  now: () => number;
  checkpoints: Checkpointer;
  batch: BatchRecord;
  /** Outcomes that no checkpoint has written; those written are taken out. */
  settled: Outcome[];
  /** Whether anything has come about that should not be lost with the worker. */
  hasNews: () => boolean;
  /** Whether something waits for a checkpoint. */
  isUrgent: () => boolean;
  snapshot: () => Snapshot;
  /** Called after each checkpoint that landed. */
  landed: (snapshot: Snapshot) => Promise<unknown>;
  /** Called when a checkpoint is over, landed or not. */
  ended: () => void;
}) {
  const { ledger, now, checkpoints, settled } = deps;
  const keepBytes = createByteWatch(ledger, now);
  let { batch } = deps;
  let checkpointedAt = now();
  let lookedAt = now();
  let writing: Promise<void> | undefined;

  /** Writes a checkpoint of this very moment, after the one under way. */
  async function checkpoint(): Promise<void> {
    await writing;
    checkpointedAt = now();
    writing = write(deps.snapshot()).finally(() => {
      writing = undefined;
      deps.ended();
    });
    await writing;
  }

  async function write(snapshot: Snapshot): Promise<void> {
    if (!(await checkpoints.write(snapshot))) return;
    // What settled in the meantime is behind these, and left to the next checkpoint.
    settled.splice(0, snapshot.outcomes.length);
    await deps.landed(snapshot);
    await look();
  }

  /** Sees whether the batch was paused or cancelled, or has passed its limit of bytes. */
  async function look(): Promise<void> {
    lookedAt = now();
    batch = (await ledger.getBatch(batch.id).catch(() => undefined)) ?? batch;
    batch = await keepBytes(batch, checkpoints.record).catch(() => batch);
  }

  const checkpointAt = () => checkpointedAt + (deps.hasNews() ? CHECKPOINT_MS : RENEW_MS);
  const lookAt = () => lookedAt + CHECKPOINT_MS;

  return {
    checkpoint,
    look,
    /** Does what is due; a checkpoint goes on by itself. */
    async go(): Promise<void> {
      if (writing) return;
      if (deps.isUrgent() || now() >= checkpointAt()) void checkpoint();
      else if (now() >= lookAt()) await look();
    },
    /** When something is due next. */
    nextAt: () => (writing ? Infinity : Math.min(checkpointAt(), lookAt())),
    /** Resolves when no checkpoint is under way. */
    idle: async () => writing,
    /** The batch's record as it was seen last. */
    get batch() {
      return batch;
    },
  };
}
