import { startWorker } from '../../../local/worker.ts';

/** A worker thread that splits small files too, and asks others for help with them as soon as it has connections for it. */
const PART_BYTES = 4096;

startWorker({
  leastPartBytes: PART_BYTES,
  splitBytes: 4 * PART_BYTES,
  help: { workerBytesPerSecond: 0, worthMs: 0, measureMs: 0 },
});
