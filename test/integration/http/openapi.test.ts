import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import type { Hono } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { createApp } from '../../../http/app.ts';
import { openApi } from '../../../http/openapi.ts';
import { OPERATIONS, type Operation } from '../../../http/operations.ts';
import { addReadRoutes } from '../../../http/read-app.ts';
import { ROUTES } from '../../../http/routes.ts';
import { addWriteRoutes } from '../../../http/write-app.ts';
import type { ManualClock } from '../../helpers/manual-clock.ts';
import { outcome, settle } from '../../unit/batch/outcomes.ts';
import { createService, submit, urlsOf } from '../../unit/batch/service.ts';
import { brokenText, brokenValues, type JsonSchema } from './broken.ts';

interface Media {
  schema: JsonSchema;
  examples?: Record<string, { value: unknown }>;
}

interface Described {
  operationId: string;
  parameters: { name: string; in: 'path' | 'query' | 'header'; schema: JsonSchema }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { headers?: object; content?: Record<string, Media> }>;
}

interface Document {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, JsonSchema> };
}

const document = openApi() as unknown as Document;
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';

/** The document with no room for fields that it does not describe. */
function strict<T>(value: T): T {
  if (Array.isArray(value)) return value.map(strict) as T;
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, strict<unknown>(inner)]));
  return ('properties' in copy && copy.type === 'object' ? { additionalProperties: false, ...copy } : copy) as T;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(strict(document), 'api');

function validator(...at: string[]): ValidateFunction {
  const pointer = at.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  const validate = ajv.getSchema(`api#/${pointer}`);
  if (!validate) throw new Error(`There is no schema at ${pointer}.`);
  return validate;
}

interface Sent {
  path: string;
  method: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

let app: Hono;
let errors: unknown[];
let clock: ManualClock;
/** A batch that runs and one that is closed, with outcomes of every kind. */
const ids = { running: '', closed: '' };

beforeEach(async () => {
  const service = await createService({ maxShards: 1 });
  errors = [];
  clock = service.clock;
  app = createApp(
    { onError: (error) => errors.push(error) },
    (app) => addReadRoutes(app, service),
    (app) => addWriteRoutes(app, service),
  );
  ids.closed = await submit(service, urlsOf(3), { name: 'closed' });
  const outcomes = [
    outcome(1, 'done', { sha256: 'a'.repeat(64), lengthVerified: false, contentType: 'image/png' }),
    outcome(2, 'failed'),
    outcome(3, 'skipped'),
  ];
  await settle(service, ids.closed, 0, outcomes, { finishedAt: service.clock.now() });
  await closeBatch(service, ids.closed);
  ids.running = await submit(service, urlsOf(3));
  await settle(service, ids.running, 0, [outcome(1, 'done')]);
});

/** Lets time pass until a request is answered: some wait. */
async function inTime<T>(answer: T | Promise<T>): Promise<T> {
  let waiting = true;
  const settled = Promise.resolve(answer).finally(() => {
    waiting = false;
  });
  settled.catch(() => undefined);
  const isWaiting = () => waiting;
  while (isWaiting()) {
    await setImmediate();
    if (clock.pending() > 0) await clock.advance(1000);
  }
  return settled;
}

/** Sends a request and expects an answer that the document describes; answers its status. */
async function expectDocumented(path: string, method: string, request: Sent): Promise<number> {
  const { headers = {}, body } = request;
  const answer = await inTime(
    app.request(request.path, { method: request.method, headers, ...(body !== undefined && { body }) }),
  );
  const text = await answer.text();
  const shown = () => JSON.stringify({ request, status: answer.status, text }).slice(0, 2000);
  expect(errors, shown()).toEqual([]);
  expect(answer.status, shown()).not.toBe(500);
  const described = document.paths[path]?.[method]?.responses[answer.status];
  expect(described, shown()).toBeDefined();
  if (answer.status === 204) return 204;
  const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
  expect(Object.keys(described?.content ?? {}), shown()).toContain(type);
  if (type.endsWith('json') && !type.includes('ndjson')) {
    const where = ['paths', path, method, 'responses', String(answer.status), 'content', type, 'schema'];
    const validate = validator(...where);
    expect(validate(JSON.parse(text)), `${shown()} ${JSON.stringify(validate.errors)}`).toBe(true);
  }
  return answer.status;
}

const pathOf = (operation: Operation) => operation.path.replaceAll(/:(\w+)/g, '{$1}');
const describedOf = (operation: Operation): Described => {
  const described = document.paths[pathOf(operation)]?.[operation.method];
  if (!described) throw new Error(`${operation.id} is not described.`);
  return described;
};
const cases = OPERATIONS.map((operation) => [operation.id, operation] as const);

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1', async () => {
    const validator = new Validator();
    expect(await validator.validate(JSON.parse(JSON.stringify(document)) as Record<string, unknown>)).toEqual({
      valid: true,
    });
    expect(validator.version).toBe('3.1');
  });

  it('is what the API answers, with the version of the package', async () => {
    const answer = await app.request('/openapi.json');
    expect(await answer.json()).toEqual(JSON.parse(JSON.stringify(document)));
    const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
    expect(document).toMatchObject({ info: { version: (JSON.parse(text) as { version: string }).version } });
  });

  it('describes every route, and no other', () => {
    const described = OPERATIONS.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    const routes = Object.entries(ROUTES).flatMap(([path, methods]) => methods.map((method) => `${method} ${path}`));
    expect(described.sort()).toEqual(routes.filter((route) => !route.startsWith('HEAD ')).sort());
  });
});

/** Sends a request about a closed batch, a running one and none; answers the statuses. */
async function sendToAll(operation: Operation, request: Pick<Sent, 'headers' | 'body'>): Promise<number[]> {
  const statuses: number[] = [];
  for (const id of [ids.closed, ids.running, NO_BATCH]) {
    const path = operation.path.replace(':id', id);
    const sent = { path, method: operation.method.toUpperCase(), ...request };
    statuses.push(await expectDocumented(pathOf(operation), operation.method, sent));
  }
  return statuses;
}

describe('every documented example is answered as documented', () => {
  const examples = OPERATIONS.flatMap((operation) =>
    Object.entries(describedOf(operation).requestBody?.content ?? {}).flatMap(([type, { examples = {} }]) =>
      Object.entries(examples).map(([name, { value }]) => [operation.id, name, operation, type, value] as const),
    ),
  );

  it.each(examples)('%s: %s', async (_, __, operation, type, value) => {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    const validate = validator('paths', pathOf(operation), operation.method, 'requestBody', 'content', type, 'schema');
    expect(validate(value)).toBe(true);
    const headers = { 'content-type': type };
    const statuses = await sendToAll(operation, { headers, body });
    expect(statuses).toContain(operation.id === 'createList' ? 201 : 202);
    if (operation.id !== 'submitBatch') return;
    const dry = { path: '/batches?dryRun=true', method: 'POST', headers, body };
    expect(await expectDocumented('/batches', 'post', dry)).toBe(200);
  });

  it.each(cases)('%s, of a batch in any state and of none', async (_, operation) => {
    const needsBody = operation.body && !operation.optionalBody;
    const statuses = await sendToAll(operation, {});
    expect(statuses.every((status) => status === 415)).toBe(needsBody === true);
    if (needsBody) return;
    expect(statuses.some((status) => status < 300)).toBe(true);
  });

  it.each(['application/json', 'application/x-ndjson', 'text/csv'])('listFiles as %s', async (accept) => {
    const path = `/batches/${ids.closed}/files?limit=2&links=true`;
    expect(await expectDocumented('/batches/{id}/files', 'get', { path, method: 'GET', headers: { accept } })).toBe(
      200,
    );
  });
});

describe('every broken request gets a documented answer', () => {
  it.each(cases)('%s, by its path and query', async (_, operation) => {
    const { parameters } = describedOf(operation);
    const at = operation.path.replace(':id', ids.closed);
    const query = parameters.filter((parameter) => parameter.in === 'query');
    const paths = [
      ...query.flatMap(({ name, schema }) =>
        brokenText(schema).map((value) => `${at}?${name}=${encodeURIComponent(value)}`),
      ),
      ...query.map(({ name }) => `${at}?${name}=1&${name}=1`),
      `${at}?unknown=1`,
      `${at}?__proto__=1`,
      `${at}?=`,
      `${at}?%`,
    ];
    if (operation.path.includes(':id')) {
      for (const id of ['x', ids.closed.toUpperCase(), '%00', '%', '..%2f', 'x'.repeat(5000)])
        paths.push(operation.path.replace(':id', id));
    }
    const body = operation.body && { headers: { 'content-type': 'text/plain' }, body: 'https://a.example/1' };
    for (const path of paths) {
      const status = await expectDocumented(pathOf(operation), operation.method, {
        path,
        method: operation.method.toUpperCase(),
        ...body,
      });
      if (path.includes('unknown') || path.includes('__proto__')) expect(status).toBe(422);
    }
  });

  const withJson = OPERATIONS.flatMap((operation) => {
    const json = describedOf(operation).requestBody?.content['application/json'];
    return json ? [[operation.id, operation, json] as const] : [];
  });
  const post = (operation: Operation, body: Sent['body'] = '', headers = {}) =>
    expectDocumented(pathOf(operation), operation.method, {
      path: operation.path.replace(':id', ids.closed),
      method: operation.method.toUpperCase(),
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });

  it.each(withJson)('%s, by a field of its body', async (_, operation, { schema, examples = {} }) => {
    let tried = 0;
    for (const { value } of Object.values(examples)) {
      for (const broken of brokenValues(schema, value, document.components.schemas)) {
        expect(await post(operation, JSON.stringify(broken)), JSON.stringify(broken)).toBe(422);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(operation.id === 'submitBatch' ? 100 : 10);
  });

  it.each(withJson)('%s, by any JSON and by any bytes', async (_, operation) => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        await post(operation, text);
      }),
      { numRuns: 100 },
    );
    const bytes = fc.uint8Array({ maxLength: 200 });
    const type = fc.constantFrom('application/json', 'text/plain', 'text/plain; charset=utf-8', 'application/xml', '');
    await fc.assert(
      fc.asyncProperty(bytes, type, fc.constantFrom('', 'identity', 'gzip', 'br'), async (body, type, encoding) => {
        const headers = { 'content-type': type, ...(encoding !== '' && { 'content-encoding': encoding }) };
        await post(operation, Uint8Array.from(body), headers);
      }),
      { numRuns: 100 },
    );
  });

  it('listFiles, by what it takes', async () => {
    const header = fc.oneof(
      fc.constantFrom('', '*', ';q=1', 'a/b;q=x', ',,,', '*/*;q=0', 'text/csv;q=2'),
      fc.stringMatching(/^[ -~]*$/),
    );
    await fc.assert(
      fc.asyncProperty(header, async (accept) => {
        const path = `/batches/${ids.closed}/files`;
        await expectDocumented('/batches/{id}/files', 'get', { path, method: 'GET', headers: { accept } });
      }),
      { numRuns: 100 },
    );
  });
});
