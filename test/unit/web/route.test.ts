import { expect, test } from 'vitest';
import { batchesHref, batchHref, parseRoute } from '../../../web/browser/route.ts';

const ID = '019b5c6e-8f00-7abc-8def-0123456789ab';

test.each([
  [batchesHref(), { view: 'batches', cursor: undefined }],
  [batchesHref({ cursor: ID }), { view: 'batches', cursor: ID }],
  [batchHref(ID), { view: 'batch', id: ID, state: undefined, cursor: undefined }],
  [batchHref(ID, { state: 'failed', cursor: '1.2-3' }), { view: 'batch', id: ID, state: 'failed', cursor: '1.2-3' }],
  ['', { view: 'batches', cursor: undefined }],
  ['#/new', { view: 'new' }],
  [`#/batches/${ID}?state=lost`, { view: 'batch', id: ID, state: undefined, cursor: undefined }],
  [`#/batches/${ID}/../../health`, { view: 'unknown' }],
  ['#/batches/x', { view: 'unknown' }],
])('the address %s leads to its view', (fragment, route) => expect(parseRoute(fragment)).toEqual(route));
