import { lookup } from 'node:dns/promises';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
// Not `{ z }`, which brings 400 KB of messages in all languages into the bundle.
import * as z from 'zod';
import { createByteBudget } from '../core/download/byte-budget.ts';
import { createDownloader } from '../core/download/create-downloader.ts';
import { helpFrom } from '../core/download/help-wanted.ts';
import { WORKER_MB } from '../core/model/limits.ts';
import type { Delivery, Ticket } from '../core/ports/tickets.ts';
import { runTurn, type TurnDeps } from '../core/turn/turn.ts';
import { entryPoint, type Environment } from './environment.ts';
import type { Log } from './log.ts';

/**
 * Memory for the bodies of all downloads, of a worker of 1,769 MB: each of a shard's 16 connections to one host can have a
 * part of 8 MiB filling and two on their way to the store.
 */
const BUDGET_BYTES = 16 * 3 * 8 * 1024 ** 2;

/** The same of a worker with more memory or less, in proportion. */
export function budgetBytes(workerMemoryMb: number): number {
  return Math.floor((BUDGET_BYTES * workerMemoryMb) / WORKER_MB);
}

/** A worker at its network's limit brings some 75 MB a second; one that brings less than this waits for its source. */
const WORKER_BYTES_PER_SECOND = 50e6;

/** More than a function's line takes. */
const LINE_BYTES_PER_SECOND = 250e6;

type RemainingTime = Pick<Context, 'getRemainingTimeInMillis'>;

/**
 * Takes a turn for each ticket of an SQS event; those to be delivered again are reported as failed. It never throws:
 * the queue's poller would slow down for what is no fault of the queue.
 */
export function createWorkerHandler(deps: TurnDeps, log: Log) {
  const stop = new AbortController().signal; // Lambda gives no notice before it ends an instance

  /** Whether the ticket is to come again. */
  async function takeTurn(record: SQSRecord, deadline: number): Promise<boolean> {
    let ticket: Ticket | undefined;
    try {
      const delivery = toDelivery(record);
      if (!delivery) {
        // Sent by somebody else; it would come back for ever.
        log.warn('a message that is no ticket was dropped');
        return false;
      }
      ticket = delivery.ticket;
      const disposition = await log.within(ticket, () => {
        // Tells which shard an invocation had that came to no end.
        log.info('a turn begins', { receiveCount: delivery.receiveCount });
        return runTurn(deps, delivery, { deadline, stop });
      });
      return disposition === 'keep';
    } catch (error) {
      log.error('a turn failed', error, ticket);
      return true;
    }
  }

  return async ({ Records }: SQSEvent, context: RemainingTime): Promise<SQSBatchResponse> => {
    const deadline = deps.clock.now() + context.getRemainingTimeInMillis();
    const turns = Records.map(async (record) => {
      const { messageId } = record;
      return (await log.within({ messageId }, () => takeTurn(record, deadline))) ? [messageId] : [];
    });
    const kept = (await Promise.all(turns)).flat();
    deps.meter?.('WorkerMemoryPeak', process.resourceUsage().maxRSS * 1024);
    return { batchItemFailures: kept.map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

const ticketSchema = z.object({
  batchId: z.uuid(),
  shard: z.int().min(0),
  helper: z
    .string()
    .regex(/^F\d+\.\d+$/)
    .optional(),
});

function toDelivery({ messageId, receiptHandle, body, attributes }: SQSRecord): Delivery | undefined {
  const ticket = parseTicket(body);
  return (
    ticket && { ticket, messageId, receipt: receiptHandle, receiveCount: Number(attributes.ApproximateReceiveCount) }
  );
}

function parseTicket(body: string): Ticket | undefined {
  try {
    return ticketSchema.parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** The handler as a deployment has it. */
export function workerOf({ config, service, files, log }: Environment): ReturnType<typeof createWorkerHandler> {
  const { download, fetchParts } = createDownloader({
    files,
    clock: service.clock,
    budget: createByteBudget(budgetBytes(config.workerMemoryMb)),
    resolve: (hostname) => lookup(hostname, { all: true }),
    allowedNetworks: config.allowedNetworks,
    help: helpFrom(WORKER_BYTES_PER_SECOND),
    lineBytesPerSecond: LINE_BYTES_PER_SECOND,
    meter: service.meter,
  });
  return createWorkerHandler({ ...service, download, fetchParts }, log);
}

export const handler = entryPoint(workerOf);
