import type { Job, Stored } from '../../core/download/downloader.ts';
import type { Core } from './core.ts';
import type { Actor, Scheduler } from './scheduler.ts';
import type { Servers } from './servers.ts';

/** A connection that a worker has open to a source. */
export interface Connection {
  actor: Actor;
  host: string;
  index: number;
}

/** How the entries of a simulated list behave; the first word of the path says which. */
const KINDS = ['ok', 'ok', 'ok', 'gone', 'flaky', 'redirect'] as const;

/**
 * Draws a list: hosts that work, are busy now and then, or are dead, with entries that load, are missing, fail at first,
 * lead to another host, or kill their worker.
 */
export function drawList(scheduler: Scheduler, killers: boolean): { url: string }[] {
  const hosts = Array.from({ length: 1 + scheduler.int(5) }, (_, i) => {
    const x = scheduler.random();
    return `${x < 0.15 ? 'dead' : x < 0.4 ? 'busy' : 'fine'}${i}.test`;
  });
  const targets = [...hosts, 'elsewhere.test', 'busy-elsewhere.test', 'dead-elsewhere.test'];
  let n = 0;
  return hosts.flatMap((host) =>
    Array.from({ length: 1 + scheduler.int(6) }, () => {
      const kind = killers && scheduler.chance(0.06) ? 'kill' : KINDS[scheduler.int(KINDS.length)];
      const target = kind === 'redirect' ? `/${targets[scheduler.int(targets.length)] ?? ''}` : '';
      return { url: `https://${host}/${kind ?? 'ok'}${target}/${++n}` };
    }),
  );
}

/** Fetches as a worker would, from sources that behave as their URLs say. */
export function createSources(
  scheduler: Scheduler,
  servers: Servers,
  core: Core,
  opened: (connection: Connection) => void,
) {
  const open = new Set<Connection>();
  const hits = new Map<string, number>();
  let versions = 0;

  async function visit<T>(actor: Actor, job: Job, host: string, stay: () => Promise<T>): Promise<T> {
    const connection = { actor, host, index: job.entry.index };
    open.add(connection);
    opened(connection);
    try {
      await scheduler.call(actor, `fetch ${job.entry.index} from ${host}`, () => undefined, {
        remote: false,
        signal: job.signal,
      });
      if (host.includes('dead')) throw new core.DownloadError('CONNECT_FAILED', 'refused');
      if (!scheduler.calm && host.includes('busy') && scheduler.chance(0.4)) {
        const retryAt = scheduler.chance(0.5) ? scheduler.now + scheduler.int(120_000) : undefined;
        throw new core.DownloadError('RATE_LIMITED', 'too many', { httpStatus: 429, retryAt });
      }
      return await stay();
    } finally {
      open.delete(connection);
    }
  }

  async function download(actor: Actor, job: Job): Promise<Stored> {
    const { url, index, key } = job.entry;
    const [, , host = '', kind, target = ''] = url.split('/');
    const hit = (hits.get(url) ?? 0) + 1;
    hits.set(url, hit);
    const bytes = Buffer.from(`${url} ${++versions}`);
    const store = async (): Promise<Stored> => {
      try {
        await servers.store(actor, servers.files).put(job.options.prefix + key, bytes, { signal: job.signal });
      } catch (error) {
        job.signal.throwIfAborted();
        throw new core.DownloadError('STORE_FAILED', 'no answer', { cause: error });
      }
      return { state: 'done', bytes: bytes.length, httpStatus: 200 };
    };
    const leads = await visit(actor, job, host, async () => {
      if (kind === 'kill') {
        scheduler.kill(actor, `of entry ${index}`);
        await new Promise(() => undefined);
      }
      if (kind === 'gone') throw new core.DownloadError('NOT_FOUND', 'gone', { httpStatus: 404 });
      if (kind === 'flaky' && hit % 3 !== 0) throw new core.DownloadError('CONNECTION_LOST', 'reset');
      return kind === 'redirect' && `https://${target}` !== `https://${host}` ? undefined : await store();
    });
    if (leads) return leads;
    await job.enterHost(`https://${target}`);
    return visit(actor, job, target, store);
  }

  return { download, open };
}
