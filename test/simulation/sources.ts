import type { Helper, Job, Loan, PartsJob, Stored } from '../../core/download/downloader.ts';
import type { FailureCode } from '../../core/model/failure.ts';
import type { Part } from '../../core/ports/object-store.ts';
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
export const LARGE_PARTS = 7;
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
export function drawList(
  scheduler: Scheduler,
  { killers, large }: { killers: boolean; large: boolean },
): { url: string }[] {
  const draw = <T>(of: readonly T[]): T => of[scheduler.int(of.length)] as T;
  const hosts = Array.from({ length: 1 + scheduler.int(large ? 2 : 5) }, (_, i) => `${draw(HOSTS)}${i}.test`);
  const targets = [...hosts, ...HOSTS.slice(3).map((kind) => `${kind}-elsewhere.test`)];
  let n = 0;
  return hosts.flatMap((host) =>
    Array.from({ length: 1 + scheduler.int(large ? 3 : 6) }, () => {
      const usual = large && scheduler.chance(0.6) ? 'large' : draw(KINDS);
      const kind = killers && scheduler.chance(0.06) ? 'kill' : usual;
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

  async function visit<T>(
    actor: Actor,
    { index, signal }: { index: number; signal: AbortSignal },
    host: string,
    stay: () => Promise<T>,
  ): Promise<T> {
    const connection = { actor, host, index };
    open.add(connection);
    told.opened(connection);
    try {
      await scheduler.call(actor, `fetch ${index} from ${host}`, () => undefined, { remote: false, signal });
      await suffer(connection, signal);
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
   * Now and then it has another worker fetch some.
   */
  async function fetchInParts(actor: Actor, job: Job, host: string): Promise<Stored> {
    const { url, key, index } = job.entry;
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
    const drop = (number: number): void => {
      if (free.includes(number)) free.splice(free.indexOf(number), 1);
    };
    const isThere = (number: number) => partial?.parts.some((part) => part.number === number) === true;
    const adopt = (landed: readonly Part[]): void => {
      const fresh = landed.filter(({ number }) => !isThere(number));
      if (!partial || fresh.length === 0 || signal.aborted) return;
      for (const { number } of fresh) drop(number);
      partial = { ...partial, parts: [...partial.parts, ...fresh].sort((a, b) => a.number - b.number) };
      job.keep?.(partial);
    };
    const out = new Set<Helper>();
    const numbersOf = ({ first, last }: Pick<Helper, 'first' | 'last'>) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const follow = (helper: Helper): void => {
      out.add(helper);
      numbersOf(helper).forEach(drop);
      void helper.ended.then(() => {
        out.delete(helper);
        for (const number of numbersOf(helper)) if (!isThere(number)) free.push(number);
      });
    };
    for (const helper of job.helpers?.join(adopt) ?? []) follow(helper);
    const askForHelp = (loan: Loan): boolean => {
      const last = free.at(-1);
      if (!partial || last === undefined || !scheduler.chance(0.7)) return false;
      let first = last;
      while (last - first < 2 && free.includes(first - 1)) first -= 1;
      const version = { etag: partial.etag, source: '', length: LARGE_PARTS };
      const source = { url: new URL(url), headers: {}, version };
      const { uploadId } = partial;
      const helper = job.helpers?.ask({ source, uploadId, partBytes: 1, first, last }, [loan]);
      if (helper) follow(helper);
      return helper !== undefined;
    };
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
        if (loan && askForHelp(loan)) continue;
        const number = loan && free.pop();
        if (!loan || number === undefined) return loan?.end();
        try {
          await visit(actor, { index, signal }, host, () => Promise.resolve());
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
        if (free.length === 0) await lanes;
        if (free.length === 0 && out.size > 0) {
          for (const helper of out) helper.hurry();
          await Promise.race([...[...out].map(({ ended }) => ended), untilAborted(signal)]);
          job.signal.throwIfAborted();
          continue;
        }
        if (!isFirst) await job.enterHost(`https://${host}`);
        isFirst = false;
        const number = free.shift();
        if (number !== undefined) {
          try {
            // An attempt that is aborted closes its connection, whatever it waits for in the store.
            await visit(actor, { index, signal: job.signal }, host, () => Promise.resolve());
            if (out.size > 0 && scheduler.chance(0.1)) throw new core.DownloadError('SOURCE_CHANGED', 'by now');
            await fetchOne(number);
          } catch (error) {
            if (error instanceof core.DownloadError) job.requestFailed?.(error);
            free.unshift(number);
            throw error;
          }
        }
        if (broken instanceof UploadLost) throw broken;
        if (number === undefined && free.length === 0 && out.size === 0) break;
      }
      if (partial) await inStore(files.completeUpload(path, partial.uploadId, partial.parts, { signal }));
      lost();
      return done;
    } catch (error) {
      stopped.abort(new Error('The attempt ends.'));
      await lanes;
      // Of an upload of which nobody was told nobody else knows.
      const begun = partial ? undefined : await upload?.catch(() => undefined);
      if (begun !== undefined) await files.abortUpload(path, begun).catch(() => undefined);
      if (!(error instanceof UploadLost)) throw error;
      const etag = partial?.etag;
      lost();
      const stored = await inStore(files.get(path, { signal: job.signal }));
      if (etag !== undefined && String(stored).startsWith(etag)) return done;
      throw new core.DownloadError('STORE_FAILED', 'the upload is gone');
    }
  }

  /** Fetches parts for another worker, as `fetchParts` does. */
  async function fetchParts(actor: Actor, job: PartsJob): Promise<void> {
    const files = servers.store(actor, servers.files);
    const numbers = Array.from({ length: job.last - job.first + 1 }, (_, i) => job.first + i);
    const ending = new AbortController();
    const signal = AbortSignal.any([job.signal, ending.signal]);
    const lane = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        signal.throwIfAborted();
        // Longer than between two looks, now and then, so that much can happen to who asked.
        const stay = () => scheduler.sleep(actor, scheduler.chance(0.5) ? scheduler.int(20_000) : 0, signal);
        await visit(actor, { index: job.first, signal }, job.source.url.host, stay);
        const body = Buffer.from(`${job.source.version.etag} ${number}\n`);
        job.landed(await files.putPart(job.key, job.uploadId, number, body, { signal }));
      }
    };
    const lanes = Array.from({ length: job.connections }, () =>
      lane().catch((error: unknown) => {
        ending.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(lanes);
    await Promise.all(lanes);
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
    const elsewhere = await visit(actor, { index, signal: job.signal }, host, async () => {
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
      await visit(actor, { index, signal: job.signal }, target, () => Promise.resolve());
    }
    job.received?.();
    return store();
  }

  return { download, fetchParts, open };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
