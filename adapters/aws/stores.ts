import type { PlanningService, Summary } from '../../core/batch/service.ts';
import type { FileLinks } from '../../core/ports/file-links.ts';
import type { Ledger } from '../../core/ports/ledger.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { Tickets } from '../../core/ports/tickets.ts';
import { systemClock } from '../system-clock.ts';
import { createClients, type AwsClients } from './clients.ts';
import type { AwsConfig } from './config.ts';
import { createDynamoLedger } from './dynamo-ledger.ts';
import { createEventBus } from './event-bus.ts';
import { createS3Links } from './s3-links.ts';
import { invokePlanner } from './planner.ts';
import { createS3Store } from './s3-store.ts';
import { createSqsTickets } from './sqs-tickets.ts';

export interface AwsStores {
  /** Publishes the end of a batch. */
  publish: (summary: Summary) => Promise<void>;
  ledger: Ledger;
  tickets: Tickets;
  /** Manifests, results and the like. */
  state: ObjectStore;
  /** Downloaded files. */
  files: ObjectStore & FileLinks;
  startPlanner: PlanningService['startPlanner'];
  /** Closes the connections that are kept alive. */
  close: () => void;
}

/** The stores of a deployment; several share one set of clients where it is given. */
export function createAwsStores(config: AwsConfig, clients: AwsClients = createClients()): AwsStores {
  const { s3, puts, dynamo, sqs, events, lambda } = clients;
  const files = { client: s3, puts, bucket: config.filesBucket, prefix: config.filesPrefix };
  return {
    publish: createEventBus(events),
    ledger: createDynamoLedger(dynamo, config.table),
    tickets: createSqsTickets(sqs, config.queueUrl, systemClock),
    state: createS3Store({ client: s3, puts, bucket: config.stateBucket }),
    files: { ...createS3Store(files), ...createS3Links(files) },
    startPlanner: (batchId) => invokePlanner(lambda, config.plannerFunction, batchId),
    close() {
      for (const client of [s3, puts, dynamo, sqs, events, lambda]) client.destroy();
    },
  };
}
