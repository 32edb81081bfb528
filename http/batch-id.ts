import { UnknownBatchError } from '../core/model/errors.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text can be the id of a batch or a list. */
export const isId = (text: string) => UUID.test(text);

/** A batch id as it stands in a path. Errors: `UnknownBatchError` for what no batch can be called. */
export function batchId(text: string): string {
  if (UUID.test(text)) return text;
  throw new UnknownBatchError(text.slice(0, 40));
}
