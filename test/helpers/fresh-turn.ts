import { onTestFinished } from 'vitest';
import type { Service } from '../../core/batch/service.ts';
import { parseNetworks } from '../../core/download/address-guard.ts';
import { createByteBudget } from '../../core/download/byte-budget.ts';
import { createDownloader, type DownloaderDeps } from '../../core/download/create-downloader.ts';
import { runTurn, type Disposition } from '../../core/turn/turn.ts';
import { everyNameIsLocal } from './download.ts';

/** A turn of a worker that knows nothing of the earlier ones, if there is a ticket. */
export async function freshTurn(
  service: Service & Pick<DownloaderDeps, 'files'>,
  sizes: Pick<DownloaderDeps, 'leastPartBytes' | 'splitBytes' | 'help'>,
  { turnMs, stop }: { turnMs: number; stop: AbortSignal },
): Promise<Disposition | undefined> {
  const { files, clock, tickets } = service;
  const [delivery] = await tickets.receive(1, 75_000);
  if (!delivery) return undefined;
  const { download, fetchParts, close } = createDownloader({
    files,
    clock,
    budget: createByteBudget(32 * 1024 ** 2),
    resolve: everyNameIsLocal,
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
    ...sizes,
  });
  onTestFinished(close);
  const disposition = await runTurn({ ...service, download, fetchParts }, delivery, {
    deadline: clock.now() + turnMs,
    stop,
  });
  if (disposition === 'acknowledge') await tickets.acknowledge(delivery.receipt);
  return disposition;
}
