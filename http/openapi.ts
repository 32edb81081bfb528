// Not `{ z }`, which brings 400 KB of messages in all languages into a bundle.
import * as z from 'zod';
import { INPUTS, OPERATIONS, OUTPUTS, type Answer, type Body, type Operation } from './operations.ts';
import { PROBLEMS, type ProblemType } from './problem.ts';
import { givenHeaders, listedEntry } from './schemas.ts';

type Json = Record<string, unknown>;

/** The version of the API, which is the package's. */
const VERSION = '0.1.0';

const DESCRIPTION = `Takes a list of URLs, downloads them into an object store, and tells at any moment how far it is.
Deployed, every request is signed by AWS Signature Version 4 for the service execute-api. Every answer that is an error
is a problem document (RFC 9457); branch on its \`type\`.`;

/** Answers that every operation can give. */
const ANYWHERE: readonly ProblemType[] = ['foreign-request', 'internal'];

/** The API as an OpenAPI 3.1 document, made of the schemas by which requests are checked and answers are typed. */
export function openApi(): Json {
  const paths: Record<string, Json> = {};
  for (const operation of OPERATIONS) {
    const path = operation.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method]: describe(operation) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Downburst',
      version: VERSION,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: { ...namedSchemas(INPUTS, 'input'), ...namedSchemas(OUTPUTS, 'output') } },
  };
}

function describe(operation: Operation): Json {
  const { id, summary, body, optionalBody, answers, problems } = operation;
  const described = Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)]);
  return {
    operationId: id,
    summary,
    parameters: [...pathParameters(operation), ...queryParameters(operation), ...headerParameters(operation)],
    ...(body && { requestBody: { required: optionalBody !== true, content: mapValues(body, describeBody) } }),
    responses: { ...Object.fromEntries(described), ...problemAnswers([...problems, ...ANYWHERE]) },
  };
}

function pathParameters({ path }: Operation): Json[] {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string', format: 'uuid' } }));
}

/** Those in groups as `timeouts.idleMs`, lists with commas. */
function queryParameters({ query }: Operation): Json[] {
  const parameter = ([name, { description, ...schema }]: [string, Json]): Json[] => {
    if (schema.type !== 'object') {
      const form = schema.type === 'array' && { style: 'form', explode: false };
      return [{ name, in: 'query', ...(description !== undefined && { description }), ...form, schema }];
    }
    const fields = Object.entries(schema.properties as Record<string, Json>);
    return fields.flatMap(([field, of]) => parameter([`${name}.${field}`, of]));
  };
  return Object.entries(toJson(query, 'input').properties as Record<string, Json>).flatMap(parameter);
}

function headerParameters({ headers = {} }: Operation): Json[] {
  // OpenAPI would pass over parameters of this name.
  return Object.entries(headers)
    .filter(([name]) => name !== 'Accept')
    .map(([name, description]) => ({ name, in: 'header', description, schema: { type: 'string' } }));
}

function describeBody({ schema, examples }: Body): Json {
  return {
    schema: schema === 'text' ? { type: 'string' } : reference(schema),
    examples: mapValues(examples, (value) => ({ value })),
  };
}

function describeAnswer({ description, headers = {}, content = {} }: Answer): Json {
  const types = mapValues(content, (schema) => ({
    schema: typeof schema === 'string' ? reference(schema) : { description: schema.text },
  }));
  return {
    description,
    ...(Object.keys(headers).length > 0 && { headers: mapValues(headers, describeHeader) }),
    ...(Object.keys(types).length > 0 && { content: types }),
  };
}

function describeHeader(description: string): Json {
  return { description, schema: { type: 'string' } };
}

/** By status, which problems it can be. */
function problemAnswers(types: readonly ProblemType[]): Record<string, Json> {
  const statuses = new Set(types.map((type) => PROBLEMS[type].status));
  return Object.fromEntries([...statuses].sort().map((status) => [status, describeProblems(status, types)]));
}

function describeProblems(status: number, all: readonly ProblemType[]): Json {
  const types = all.filter((type) => PROBLEMS[type].status === status);
  const of = { type: { enum: types.map((type) => `urn:downburst:problem:${type}`) }, status: { const: status } };
  const schema = { allOf: [reference('Problem'), { properties: of }] };
  return {
    description: types.map((type) => PROBLEMS[type].title).join('; or: '),
    content: { 'application/problem+json': { schema } },
  };
}

function reference(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/** Schemas that refer to each other by their names. */
function namedSchemas(schemas: Record<string, z.ZodType>, io: 'input' | 'output'): Record<string, Json> {
  return mapValues(schemas, (schema) =>
    toJson(schema, io, (inner) => {
      const name = Object.entries(schemas).find(([, named]) => named === inner && named !== schema)?.[0];
      return name === undefined ? undefined : reference(name);
    }),
  );
}

/** What stands in a schema for what the core checks by itself. */
const DESCRIBED = new Map<z.core.$ZodType, string>([
  [listedEntry, 'Entry'],
  [givenHeaders, 'Headers'],
]);

function toJson(
  schema: z.ZodType,
  io: 'input' | 'output',
  refer: (inner: z.core.$ZodType) => Json | undefined = () => undefined,
): Json {
  const json: Json = z.toJSONSchema(schema, {
    io,
    override({ zodSchema, jsonSchema }) {
      const described = DESCRIBED.get(zodSchema);
      const instead = described === undefined ? refer(zodSchema) : reference(described);
      if (instead) {
        for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
        Object.assign(jsonSchema, instead);
      }
      // A number in a query is text that is checked by a pattern first; a format says the rest.
      if (jsonSchema.type !== 'string' || jsonSchema.format !== undefined) delete jsonSchema.pattern;
      // An answer may have more fields one day; a request with a field that is not known is refused.
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      // Every whole number is a safe one.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  delete json.$schema;
  return json;
}

function mapValues<T, U>(of: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, map(value)]));
}
