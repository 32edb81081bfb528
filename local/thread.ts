import { workerData } from 'node:worker_threads';
import type { PlannerSettings, WorkerSettings } from './messages.ts';

/** What every thread of a service runs: its role says the rest. */
const { role } = workerData as PlannerSettings | WorkerSettings;
await (role === 'planner' ? import('./planner-thread.ts') : import('./worker.ts'));
