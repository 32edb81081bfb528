import type { Summary } from '../core/batch/service.ts';
import type { Delivery } from '../core/ports/tickets.ts';
import type { Folders } from './stores.ts';

/** What every thread is started with. */
export interface ThreadSettings {
  folders: Folders;
  /** How many worker threads there are in all. */
  workers: number;
  /** Whether somebody is to be told of closed batches. */
  notify: boolean;
}

export interface WorkerSettings extends ThreadSettings {
  role: 'worker';
  allowedNetworks: readonly string[];
}

/** From the main thread to a worker thread. */
export type ToWorker =
  | { kind: 'turn'; turn: number; delivery: Delivery }
  /** End all turns soon, close everything and exit. */
  | { kind: 'stop' };

/** From a worker thread to the main thread. */
export type FromWorker =
  | FromThread
  | { kind: 'ready' }
  | { kind: 'ended'; turn: number; result: 'acknowledge' | 'keep' }
  | { kind: 'failed'; turn: number; error: unknown };

export interface PlannerSettings extends ThreadSettings {
  role: 'planner';
  batchId: string;
}

/** From any thread to the main thread: all that a planner thread has to say. */
export type FromThread =
  /** There are new tickets to be received. */
  | { kind: 'sent' }
  | { kind: 'closed'; summary: Summary }
  | { kind: 'warning'; message: string; details: Record<string, unknown> };
