import { parentPort, workerData } from 'node:worker_threads';
import { planList } from '../core/batch/plan-list.ts';
import type { Service } from '../core/batch/service.ts';
import type { FromPlanner, PlannerSettings } from './messages.ts';
import { limitsFor, openStores } from './stores.ts';

/** A planner thread: plans one list, with connections of its own, and ends. */

const port = parentPort;
if (!port) throw new Error('This is started as a worker thread.');
const post = (message: FromPlanner) => port.postMessage(message);

const { dataFolder, workers, batchId } = workerData as PlannerSettings;
const stores = openStores(dataFolder);
const service: Service = {
  ...stores,
  tickets: {
    ...stores.tickets,
    async send(tickets) {
      await stores.tickets.send(tickets);
      post({ kind: 'sent' });
    },
  },
  limits: limitsFor(workers),
  announce: (summary) => Promise.try(post, { kind: 'closed', summary }),
  warn: (message, details) => post({ kind: 'warning', message, details }),
};

try {
  await planList(service, batchId);
} finally {
  stores.close();
  port.close();
}
