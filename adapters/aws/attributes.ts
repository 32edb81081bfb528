import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** An item of the table, or a map within one. */
export type Attributes = Record<string, AttributeValue>;

/**
 * A record as DynamoDB's attributes, field by field. Records hold text, finite numbers, truth values, records and
 * lists of these; a field without a value is left out.
 *
 * By hand, since records hold no more than that: the SDK's own marshalling takes four times as long and makes every
 * function's bundle larger.
 */
export function toAttributes(record: object): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(record) as [string, unknown][]) {
    if (value !== undefined) attributes[name] = toAttribute(value);
  }
  return attributes;
}

function toAttribute(value: unknown): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (Array.isArray(value)) return { L: value.map(toAttribute) };
  if (typeof value === 'object' && value !== null) return { M: toAttributes(value) };
  throw new TypeError('a record holds a value that cannot be stored');
}

/** The record that was made to attributes, but for those `without` which it was. */
export function fromAttributes(attributes: Attributes, without?: ReadonlySet<string>): object {
  const record: Record<string, unknown> = {};
  for (const [name, attribute] of Object.entries(attributes)) {
    if (!without?.has(name)) record[name] = fromAttribute(attribute);
  }
  return record;
}

function fromAttribute({ S, N, BOOL, L, M }: AttributeValue): unknown {
  return S ?? (N === undefined ? undefined : Number(N)) ?? BOOL ?? L?.map(fromAttribute) ?? fromAttributes(M ?? {});
}
