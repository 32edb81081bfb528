import { parentPort } from 'node:worker_threads';
import type { FromWorker, ToWorker } from '../../../local/messages.ts';

/**
 * A worker thread that does what its ticket's batch says: `end` a turn, `fail` one, `die` in one, `wait` in one until
 * told to stop, or `ignore` that.
 */

const port = parentPort;
const post = (message: FromWorker) => port?.postMessage(message);
const waiting = new Set<number>();
let stoppable = true;

port?.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') {
    for (const turn of waiting) post({ kind: 'ended', turn, result: 'keep' });
    if (stoppable) port.close();
    return;
  }
  const { turn, delivery } = message;
  switch (delivery.ticket.batchId) {
    case 'end':
      post({ kind: 'ended', turn, result: 'acknowledge' });
      return;
    case 'fail':
      post({ kind: 'failed', turn, error: new Error('the ledger is gone') });
      return;
    case 'die':
      throw new Error('out of luck');
    case 'ignore':
      stoppable = false;
      return;
    default:
      waiting.add(turn);
  }
});
post({ kind: 'ready' });
