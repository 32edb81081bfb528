/** The part of JSON Schema that the API's document uses. */
export interface JsonSchema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

type Json = Record<string, unknown>;

/** Values that a schema does not take. Other checks than the schema's may take even fewer. */
function wrongValues(schema: JsonSchema): unknown[] {
  const { type, minimum, maximum, minLength = 0, maxLength, pattern } = schema;
  const others: [string, unknown][] = [
    ['string', 'text'],
    ['number', 7],
    ['boolean', true],
    ['array', []],
    ['object', {}],
    ['null', null],
  ];
  const own = type === 'integer' ? 'number' : type;
  const wrong = own === undefined ? [] : others.filter(([other]) => other !== own).map(([, value]) => value);
  if (minimum !== undefined) wrong.push(minimum - 1, -1e308);
  if (maximum !== undefined) wrong.push(maximum + 1, 1e308);
  if (type === 'integer') wrong.push(1.5);
  if (minLength > 0) wrong.push('');
  if (maxLength !== undefined) wrong.push('x'.repeat(maxLength + 1));
  if (pattern !== undefined) wrong.push('\n', '\u{1f600}');
  if (schema.enum) wrong.push('none of these', '');
  return wrong;
}

/** The same for a parameter of a query, and text that is odd for any of them. */
export function brokenText(schema: JsonSchema): string[] {
  const wrong = wrongValues(schema).filter((value) => typeof value !== 'object');
  return [...wrong.map(String), '', ' ', '\0', '\u{10ffff}', 'NaN', '0x1', '1e999', 'x'.repeat(10_000)];
}

/** Every way to break one field of a value that a schema takes. */
export function* brokenValues(schema: JsonSchema, value: unknown, named: Record<string, JsonSchema>): Generator {
  const { $ref, anyOf, items, properties, required = [], additionalProperties } = schema;
  if ($ref !== undefined) {
    yield* brokenValues(named[$ref.slice($ref.lastIndexOf('/') + 1)] ?? {}, value, named);
    return;
  }
  if (anyOf) {
    const fitting = anyOf.find(({ type }) => type === typeof value);
    yield* [7, null, []];
    if (fitting?.type === 'object') yield* brokenValues(fitting, value, named);
    return;
  }
  yield* wrongValues(schema);
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      for (const broken of brokenValues(items ?? {}, item, named)) yield value.with(i, broken);
    }
  } else if (properties && typeof value === 'object' && value !== null) {
    for (const [name, of] of Object.entries(properties)) {
      const { [name]: field, ...rest } = value as Json;
      if (required.includes(name)) yield rest;
      const whole = field ?? (of.type === 'object' ? {} : undefined);
      for (const broken of brokenValues(of, whole, named)) yield { ...rest, [name]: broken };
    }
    if (additionalProperties !== true) yield { ...value, unknown: 1 };
  } else if (typeof additionalProperties === 'object' && typeof value === 'object' && value !== null) {
    for (const broken of brokenValues(additionalProperties, undefined, named)) yield { ...value, 'x-broken': broken };
  }
}
