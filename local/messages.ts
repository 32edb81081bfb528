import type { Summary } from '../core/batch/service.ts';
import type { Delivery } from '../core/ports/tickets.ts';

/** What a worker thread is started with. */
export interface WorkerSettings {
  dataFolder: string;
  /** How many worker threads there are in all. */
  workers: number;
  allowedNetworks: readonly string[];
  /** Whether somebody is to be told of closed batches. */
  notify: boolean;
}

/** From the main thread to a worker thread. */
export type ToWorker =
  | { kind: 'turn'; turn: number; delivery: Delivery }
  /** End all turns soon, close everything and exit. */
  | { kind: 'stop' };

/** From a worker thread to the main thread. */
export type FromWorker =
  | FromPlanner
  | { kind: 'ready' }
  | { kind: 'ended'; turn: number; result: 'acknowledge' | 'keep' }
  | { kind: 'failed'; turn: number; error: unknown };

/** What a planner thread is started with. */
export interface PlannerSettings {
  dataFolder: string;
  /** How many worker threads there are in all. */
  workers: number;
  batchId: string;
}

/** From a planner thread to the main thread. */
export type FromPlanner =
  /** There are new tickets to be received. */
  | { kind: 'sent' }
  | { kind: 'closed'; summary: Summary }
  | { kind: 'warning'; message: string; details: Record<string, unknown> };
