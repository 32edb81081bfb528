import { workerData } from 'node:worker_threads';
import type { PlannerSettings, WorkerSettings } from './messages.ts';

/** What every thread of a service runs: its role says the rest. */
const { role } = workerData as PlannerSettings | WorkerSettings;
if (role === 'planner') await import('./planner-thread.ts');
else (await import('./worker.ts')).startWorker();
