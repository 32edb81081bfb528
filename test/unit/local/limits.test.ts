import { expect, test } from 'vitest';
import { plan } from '../../../core/plan/plan.ts';
import { limitsFor } from '../../../local/stores.ts';

const shardsOf = (entries: number) =>
  plan([{ host: 'https://a.example', entries }], { connectionsPerHost: 16, ...limitsFor(2) });

test('as many files of one host as it may have connections keep both threads busy', () => {
  expect(shardsOf(16).map(({ entries, connections }) => [entries, connections])).toEqual([
    [8, 8],
    [8, 8],
  ]);
});

test('of fewer files each may have the connections that the others have no use for', () => {
  expect(shardsOf(15).map(({ entries, connections }) => [entries, connections])).toEqual([[15, 16]]);
});
