import { createHash, randomUUID } from 'node:crypto';
import type { DryRunDocument, ListDocument, StatusDocument } from '../../http/documents.ts';
import type { ProblemDocument } from '../../http/problem.ts';
import { expect, type Service } from './service.ts';

export interface World {
  service: Service;
  /** Where paths in answers begin. */
  api: string;
  /** Files that stay as they are. */
  urls: readonly string[];
  /** Folder of this run below the files' own. */
  prefix: string;
}

/** A promise of README.md or docs/api.md; it throws where that does not hold, and may say what it saw. */
export interface Check {
  name: string;
  run: (world: World) => Promise<string | undefined>;
}

/** An id of the right form that no batch has. */
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';
/** Addresses that are nobody's to download from: a cloud's metadata service, and a private network. */
const NOT_PUBLIC = ['http://169.254.169.254/latest/meta-data/', 'http://10.255.255.1/'];
/** One request in fifty seconds: such a batch is still running when it is paused and cancelled. */
const SLOW = { requestsPerSecondPerHost: 0.02 };

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function bytesAt(url: URL | string): Promise<Uint8Array> {
  const answer = await fetch(url);
  expect(answer.ok, `${String(url)} answered ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

const problemOf = (service: Service, method: string, path: string, status: number, body?: unknown) =>
  service.call<ProblemDocument>(method, path, status, body);

/** The same file under many keys. */
const many = (url: string, count: number) => Array.from({ length: count }, (_, n) => ({ url, key: `copies/${n}` }));

export const CHECKS: readonly Check[] = [
  {
    name: 'bad input gets an answer that names line and field, and starts nothing',
    async run({ service, urls }) {
      const newest = () => service.call<{ batches: { id: string }[] }>('GET', '/batches?limit=1', 200);
      const before = await newest();
      const json = await problemOf(service, 'POST', '/batches', 400, '{"urls": [');
      expect(json.type === 'urn:downburst:problem:invalid-json', `the type is ${json.type}`);
      const option = await problemOf(service, 'POST', '/batches', 422, { urls, options: { speed: 1 } });
      expect(option.errors?.[0]?.field === 'options.speed', `the field is not named: ${JSON.stringify(option)}`);
      const list = await problemOf(service, 'POST', '/batches', 422, { urls: [...urls, 'no URL'] });
      const { line, field } = list.errors?.[0] ?? {};
      expect(line === urls.length + 1 && field === 'url', `the line is not named: ${JSON.stringify(list)}`);
      await problemOf(service, 'GET', `/batches/${NO_BATCH}`, 404);
      await problemOf(service, 'GET', '/nothing', 404);
      await problemOf(service, 'DELETE', '/batches', 405);
      expect(JSON.stringify(await newest()) === JSON.stringify(before), 'there is another batch');
      return undefined;
    },
  },
  {
    name: 'a dry run says what a batch would be, what it would cost if it costs, and starts nothing',
    async run({ service, urls }) {
      const dryName = `smoke dry run ${randomUUID()}`;
      const dry = await service.call<DryRunDocument>('POST', '/batches?dryRun=true', 200, { name: dryName, urls });
      expect(dry.total === urls.length, `it counts ${dry.total} entries`);
      const { batches } = await service.call<{ batches: { name?: string }[] }>('GET', '/batches?limit=100', 200);
      expect(
        batches.every(({ name }) => name !== dryName),
        'it has started a batch',
      );
      const { seconds, cost } = dry.estimate;
      return `${seconds} s, ${cost ? `$${cost.dollars}` : 'no cost here'}`;
    },
  },
  {
    name: 'a batch ends with one outcome for each entry, and its files are those of their sources',
    async run({ service, api, urls, prefix }) {
      const list = [...urls, urls[0] ?? '', ...NOT_PUBLIC];
      const headers = { 'idempotency-key': randomUUID() };
      const body = { name: 'smoke', urls: list, options: { prefix } };
      const begun = await service.start(body, headers);
      const again = await service.start(body, headers);
      expect(again.id === begun.id, 'the same request with the same key has started another batch');
      const reused = await service.call<ProblemDocument>('POST', '/batches', 422, { ...body, name: 'other' }, headers);
      expect(reused.type === 'urn:downburst:problem:idempotency-key-reused', `the type is ${reused.type}`);

      const ended = await service.closed(begun.id);
      const { state, total, done, failed, duplicates, failures } = ended;
      const seen = JSON.stringify({ state, total, done, failed, duplicates, failures });
      const expected = { state: 'finished', total: list.length - 1, done: urls.length, failed: 2, duplicates: 1 };
      expect(seen === JSON.stringify({ ...expected, failures: { BLOCKED_ADDRESS: 2 } }), `it ended as ${seen}`);

      const files = await service.files(begun.id, '&links=true');
      const named = files.map(({ url }) => url).sort();
      expect(
        JSON.stringify(named) === JSON.stringify([...urls, ...NOT_PUBLIC].sort()),
        'not each entry is listed once',
      );
      let bytes = 0;
      for (const { url, state, link = '', sha256: told, bytes: size } of files) {
        if (state !== 'done') continue;
        const stored = await bytesAt(new URL(link, api));
        const source = await bytesAt(url);
        expect(stored.length === size && sha256(stored) === told, `${url} is not stored as it is told`);
        expect(sha256(stored) === sha256(source), `${url} is not stored as its source has it`);
        bytes += stored.length;
      }
      expect(bytes === ended.bytes, `the status tells ${ended.bytes} bytes, the files have ${bytes}`);
      return `${done} files, ${bytes} bytes`;
    },
  },
  {
    name: 'outcomes are listed as NDJSON and CSV, and the summary counts the same',
    async run({ service, urls }) {
      const { id } = await service.start({ urls: [urls[0], NOT_PUBLIC[0]] });
      const ended = await service.closed(id);
      const ndjson = await service.send('GET', `/batches/${id}/files?state=failed`, {
        headers: { accept: 'application/x-ndjson' },
      });
      const lines = (await ndjson.text()).trimEnd().split('\n');
      const failed = lines.map((line) => JSON.parse(line) as { url: string });
      expect(failed.length === 1 && failed[0]?.url === NOT_PUBLIC[0], `NDJSON says ${lines.join(' ')}`);
      const csv = await service.send('GET', `/batches/${id}/files`, { headers: { accept: 'text/csv' } });
      const rows = (await csv.text()).trimEnd().split('\r\n');
      expect(rows.length === 3 && rows[0]?.startsWith('index,url,key,state') === true, `CSV says ${rows.join(' ')}`);
      const summary = await service.call<StatusDocument & { cost?: { dollars: number } }>(
        'GET',
        `/batches/${id}/summary`,
        200,
      );
      expect(summary.done === ended.done && summary.failed === ended.failed, 'the summary counts otherwise');
      return summary.cost ? `it cost $${summary.cost.dollars}` : 'no cost here';
    },
  },
  {
    name: 'what is there is skipped, and fetched again only if it has changed',
    async run({ service, urls, prefix }) {
      const skipping = await service.start({ urls: [urls[0]], options: { prefix } });
      expect((await service.closed(skipping.id)).skipped === 1, 'it was not skipped');
      const refreshing = await service.start({ urls: [urls[0]], options: { prefix, ifExists: 'refresh' } });
      const { done, skipped } = await service.closed(refreshing.id);
      expect(done + skipped === 1, 'it was not refreshed');
      return skipped === 1 ? 'not changed' : 'its source has no validator or another version';
    },
  },
  {
    name: 'a file that has not the size or digest that was given fails, and can be retried by its code',
    async run({ service, urls }) {
      const [url] = urls;
      const { id } = await service.start({
        urls: [
          { url, key: 'a', size: 1 },
          { url, key: 'b', sha256: '0'.repeat(64) },
        ],
      });
      const { failures } = await service.closed(id);
      const expected = { SIZE_MISMATCH: 1, DIGEST_MISMATCH: 1 };
      const same = (Object.keys(expected) as (keyof typeof expected)[]).every((code) => failures[code] === 1);
      expect(same, `they failed as ${JSON.stringify(failures)}`);
      await problemOf(service, 'POST', `/batches/${id}/retry`, 422, { codes: ['NOT_FOUND'] });
      const retry = await service.call<StatusDocument>('POST', `/batches/${id}/retry`, 202, {
        codes: ['SIZE_MISMATCH'],
      });
      service.note(retry.id);
      expect(retry.retryOf === id, 'it does not name the old batch');
      const { total, failed } = await service.closed(retry.id);
      expect(total === 1 && failed === 1, `the retry had ${total} entries, of which ${failed} failed`);
      return undefined;
    },
  },
  {
    name: 'a running batch can be waited for, paused, resumed and cancelled, and only a closed one deleted',
    async run({ service, urls }) {
      const { id, total } = await service.start({ urls: many(urls[0] ?? '', 20), options: SLOW });
      const first = await service.call<StatusDocument>(
        'GET',
        `/batches/${id}/wait?returnWhen=FIRST_COMPLETED&timeoutSeconds=25`,
        200,
      );
      expect(first.finishedAt === undefined, 'it was over at once');
      const act = (verb: string) => service.call<StatusDocument>('POST', `/batches/${id}/${verb}`, 202);
      expect((await act('pause')).state === 'paused', 'it is not paused');
      await service.until(id, ({ shards }) => shards.working === 0);
      expect((await act('resume')).state === 'running', 'it does not run again');
      await problemOf(service, 'DELETE', `/batches/${id}`, 409);
      await act('cancel');
      const { state, cancelled, done } = await service.closed(id);
      expect(
        state === 'cancelled' && cancelled > 0 && cancelled + done === total,
        `it ended as ${state}, ${cancelled} cancelled`,
      );
      await service.call('DELETE', `/batches/${id}`, 204);
      await problemOf(service, 'GET', `/batches/${id}`, 404);
      return `${done} done, ${cancelled} cancelled`;
    },
  },
  {
    name: 'a list that is uploaded becomes a batch',
    async run({ service, api, urls }) {
      const list = `url,key\n${urls.map((url, n) => `${url},list/${n}`).join('\n')}\n`;
      const { listId, upload } = await service.call<ListDocument>('POST', '/lists', 201, {
        bytes: Buffer.byteLength(list),
        name: 'smoke.csv',
      });
      const put = await fetch(new URL(upload.url, api), { method: upload.method, headers: upload.headers, body: list });
      expect(put.ok, `the upload was answered ${put.status}`);
      const { id } = await service.start({ listId });
      const { state, done } = await service.closed(id);
      expect(state === 'finished' && done === urls.length, `it ended as ${state} with ${done} files`);
      return undefined;
    },
  },
];
