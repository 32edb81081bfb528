import { parentPort, workerData } from 'node:worker_threads';
import { planList } from '../core/batch/plan-list.ts';
import type { FromThread, PlannerSettings } from './messages.ts';
import { createService } from './service.ts';
import { openStores } from './stores.ts';

/** A planner thread: plans one list, with connections of its own, and ends. */

const port = parentPort;
if (!port) throw new Error('This is started as a worker thread.');
const post = (message: FromThread) => port.postMessage(message);

const settings = workerData as PlannerSettings;
const stores = openStores(settings.folders, settings.notify);

try {
  await planList(createService(stores, settings, post), settings.batchId);
} finally {
  stores.close();
  port.close();
}
