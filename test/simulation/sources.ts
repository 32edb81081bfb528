import type { Job, Stored } from '../../core/download/downloader.ts';
import type { FailureCode } from '../../core/model/failure.ts';
import type { Core } from './core.ts';
import type { Actor, Scheduler } from './scheduler.ts';
import { UploadLost, type Servers } from './servers.ts';

/** A connection that a worker has open to a source. */
export interface Connection {
  actor: Actor;
  host: string;
  index: number;
}

/** How the entries of a simulated list behave; the first word of the path says which. */
const KINDS = ['ok', 'ok', 'ok', 'gone', 'flaky', 'redirect', 'large'] as const;

/** Of a large file; it is whole only with all of them. */
export const LARGE_PARTS = 5;
/** How many connections it asks for beside its own. */
const LANES = 3;

/** How hosts behave; the first word of the name says which. */
const HOSTS = ['fine', 'fine', 'fine', 'fine', 'busy', 'busy', 'parking', 'full', 'dying', 'slow', 'dead'] as const;

/** What a busy host says of when to come back: soon, late, too late to wait for, in the past, or nothing that means anything. */
const RETRY_AFTERS = ['1', '30', '900', '7200', '99999999999', '0', '-5', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT'];

/**
 * Draws a list: hosts that work, are busy now and then, put everybody off, are full, die and revive, are slow or are
 * dead, with entries that load, are missing, fail at first, lead to another host, are fetched in parts over several
 * connections, or kill their worker.
 */
export function drawList(scheduler: Scheduler, killers: boolean): { url: string }[] {
  const draw = <T>(of: readonly T[]): T => of[scheduler.int(of.length)] as T;
  const hosts = Array.from({ length: 1 + scheduler.int(5) }, (_, i) => `${draw(HOSTS)}${i}.test`);
  const targets = [...hosts, ...HOSTS.slice(3).map((kind) => `${kind}-elsewhere.test`)];
  let n = 0;
  return hosts.flatMap((host) =>
    Array.from({ length: 1 + scheduler.int(6) }, () => {
      const kind = killers && scheduler.chance(0.06) ? 'kill' : draw(KINDS);
      const target = kind === 'redirect' ? `/${draw(targets)}` : '';
      return { url: `https://${host}/${kind}${target}/${++n}` };
    }),
  );
}

/** Fetches as a worker would, from sources that behave as their URLs say. */
export function createSources(
  scheduler: Scheduler,
  servers: Servers,
  core: Core,
  told: {
    opened: (connection: Connection) => void;
    /** The host said when to come back. */
    putOff: (connection: Connection, until: number) => void;
  },
) {
  const open = new Set<Connection>();
  const hits = new Map<string, number>();
  let versions = 0;

  async function visit<T>(actor: Actor, job: Job, host: string, stay: () => Promise<T>): Promise<T> {
    const connection = { actor, host, index: job.entry.index };
    open.add(connection);
    told.opened(connection);
    try {
      await scheduler.call(actor, `fetch ${job.entry.index} from ${host}`, () => undefined, {
        remote: false,
        signal: job.signal,
      });
      await suffer(connection, job.signal);
      return await stay();
    } finally {
      open.delete(connection);
    }
  }

  /** What a host does to whoever comes. Some never stop: a batch ends all the same. */
  async function suffer(connection: Connection, signal: AbortSignal): Promise<void> {
    const { host, actor } = connection;
    const [kind] = /^[a-z]+/.exec(host) ?? [];
    const fail = (code: FailureCode) => {
      throw new core.DownloadError(code, 'of the host');
    };
    const refuse = (status: number, retryAfter?: string) => {
      const error = core.statusFailure(status, retryAfter, scheduler.now);
      if (error.retryAt !== undefined) told.putOff(connection, error.retryAt);
      throw error;
    };
    const draw = <T>(of: readonly T[]): T => of[scheduler.int(of.length)] as T;
    if (kind === 'dead') fail('CONNECT_FAILED');
    // Dead for ten minutes of every twenty.
    if (kind === 'dying' && scheduler.now % 1_200_000 < 600_000) fail(draw(['DNS_FAILED', 'CONNECT_TIMEOUT']));
    if (kind === 'full' && scheduler.chance(0.9)) refuse(429);
    if (kind === 'busy' && !scheduler.calm && scheduler.chance(0.4)) refuse(draw([429, 429, 503]));
    if (kind === 'parking' && scheduler.chance(0.4)) refuse(draw([429, 503]), draw(RETRY_AFTERS));
    if (kind === 'slow') {
      await scheduler.sleep(actor, scheduler.int(120_000), signal);
      if (scheduler.chance(0.3)) fail(draw(['HEADERS_TIMEOUT', 'IDLE_TIMEOUT', 'TOO_SLOW']));
    }
  }

  /**
   * Fetches a large file as the downloader does: parts in any order, over the attempt's connection and lent ones, each
   * told to `keep`; what an earlier attempt has left is gone on with, and an upload that is gone may have been completed.
   */
  async function fetchInParts(actor: Actor, job: Job, host: string): Promise<Stored> {
    const { url, key } = job.entry;
    const files = servers.store(actor, servers.files);
    const path = job.options.prefix + key;
    const version = `${url} ${++versions}`;
    let { partial } = job;
    const done: Stored = { state: 'done', bytes: LARGE_PARTS, httpStatus: 206 };
    const stopped = new AbortController();
    const signal = AbortSignal.any([job.signal, stopped.signal]);
    let upload: Promise<string> | undefined;
    let broken: unknown;

    const inStore = async <T>(call: Promise<T>): Promise<T> => {
      try {
        return await call;
      } catch (error) {
        job.signal.throwIfAborted();
        if (error instanceof UploadLost) throw error;
        throw new core.DownloadError('STORE_FAILED', 'no answer', { cause: error });
      }
    };
    const lost = (): void => {
      partial = undefined;
      job.keep?.(undefined);
    };
    const free = Array.from({ length: LARGE_PARTS }, (_, i) => i + 1).filter(
      (number) => !partial?.parts.some((part) => part.number === number),
    );
    const fetchOne = async (number: number): Promise<void> => {
      upload ??= partial ? Promise.resolve(partial.uploadId) : inStore(files.createUpload(path, { partBytes: 1 }));
      const uploadId = await upload;
      const body = Buffer.from(`${partial?.etag ?? version} ${number}\n`);
      const part = await inStore(files.putPart(path, uploadId, number, body, { signal }));
      const parts = [...(partial?.parts ?? []), part].sort((a, b) => a.number - b.number);
      partial = { uploadId, partBytes: 1, parts, etag: partial?.etag ?? version, source: '', length: LARGE_PARTS };
      job.keep?.(partial);
    };
    const lane = async (): Promise<void> => {
      while (free.length > 0 && broken === undefined) {
        const loan = await job.borrow?.(`https://${host}`, signal).catch(() => undefined);
        const number = loan && free.pop();
        if (!loan || number === undefined) return loan?.end();
        try {
          await visit(actor, { ...job, signal }, host, () => Promise.resolve());
          loan.end();
          await fetchOne(number);
        } catch (error) {
          free.push(number);
          loan.end(error instanceof core.DownloadError ? error : undefined);
          if (error instanceof UploadLost) broken = error;
          return;
        }
      }
    };

    const lanes = Promise.all(Array.from({ length: LANES }, lane));
    let isFirst = true;
    try {
      for (;;) {
        if (!isFirst) await job.enterHost(`https://${host}`);
        isFirst = false;
        const number = free.shift();
        if (number === undefined) await lanes;
        else {
          try {
            // An attempt that is aborted closes its connection, whatever it waits for in the store.
            await visit(actor, job, host, () => Promise.resolve());
            await fetchOne(number);
          } catch (error) {
            if (error instanceof core.DownloadError) job.requestFailed?.(error);
            free.unshift(number);
            throw error;
          }
        }
        if (broken instanceof UploadLost) throw broken;
        if (number === undefined && free.length === 0) break;
      }
      if (partial) await inStore(files.completeUpload(path, partial.uploadId, partial.parts, { signal }));
      lost();
      return done;
    } catch (error) {
      stopped.abort(new Error('The attempt ends.'));
      await lanes;
      if (!(error instanceof UploadLost)) throw error;
      const etag = partial?.etag;
      lost();
      const stored = await inStore(files.get(path, { signal: job.signal }));
      if (etag !== undefined && String(stored).startsWith(etag)) return done;
      throw new core.DownloadError('STORE_FAILED', 'the upload is gone');
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
    if (kind === 'large') return fetchInParts(actor, job, host);
    const elsewhere = await visit(actor, job, host, async () => {
      if (kind === 'kill') {
        scheduler.kill(actor, `of entry ${index}`);
        await new Promise(() => undefined);
      }
      if (kind === 'gone') throw new core.DownloadError('NOT_FOUND', 'gone', { httpStatus: 404 });
      if (kind === 'flaky' && hit % 3 !== 0) throw new core.DownloadError('CONNECTION_LOST', 'reset');
      return kind === 'redirect' && target !== host;
    });
    if (elsewhere) {
      await job.enterHost(`https://${target}`);
      await visit(actor, job, target, () => Promise.resolve());
    }
    job.received?.();
    return store();
  }

  return { download, open };
}
