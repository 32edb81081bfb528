import { expect, test } from 'vitest';
import { helpWanted } from '../../../core/download/help-wanted.ts';
import { HELPER_WORK_MS, MAX_HELPERS } from '../../../core/model/limits.ts';

const MIB = 1024 ** 2;
const settings = { workerBytesPerSecond: 50 * MIB, worthMs: 60_000, measureMs: 5000 };
/** 80 GB in parts of 8 MiB, at 60 MiB/s over 16 connections. */
const progress = {
  freeParts: 10_000,
  partBytes: 8 * MIB,
  bytesPerSecond: 60 * MIB,
  lent: 15,
  connectionsPerFile: 16,
  helpers: 0,
};

test('the first helper of a huge file has an even share of the connections, and as much as it can do in a part of a turn', () => {
  const wanted = helpWanted(settings, progress);
  expect(wanted?.connections).toBe(2);
  const seconds = ((wanted?.parts ?? 0) * progress.partBytes) / ((progress.bytesPerSecond * 2) / 16);
  expect(seconds).toBeGreaterThan(HELPER_WORK_MS / 1000 - 2);
  expect(seconds).toBeLessThanOrEqual(HELPER_WORK_MS / 1000);
});

test('towards the end helpers get fewer and fewer parts', () => {
  const slow = { ...settings, worthMs: 0 };
  const parts = [800, 400, 200, 100].map(
    (freeParts) => helpWanted(slow, { ...progress, freeParts, lent: 9, helpers: 3 })?.parts,
  );
  expect(parts).toEqual([50, 25, 12, 6]);
});

test('a helper that is no faster than its connections are here is done before the rest of the file is', () => {
  for (const helpers of [0, 3, 6]) {
    const lent = 15 - 2 * helpers;
    const { connections = 0, parts = 0 } = helpWanted(settings, { ...progress, freeParts: 600, lent, helpers }) ?? {};
    const perConnection = progress.bytesPerSecond / (1 + lent);
    const seconds = (count: number, over: number) => (count * progress.partBytes) / (perConnection * over);
    expect(parts).toBeGreaterThan(0);
    expect(seconds(parts, connections)).toBeLessThanOrEqual(seconds(600 - parts, 16 - connections));
  }
});

test.each([
  ['the source holds this worker up, and not its own bandwidth', { bytesPerSecond: 49 * MIB }],
  ['the rest comes within a minute', { freeParts: 400 }],
  ['there are as many helpers as there can be', { helpers: MAX_HELPERS }],
  ['no two connections could be left', { lent: 2 }],
  ['there would be less than a part for each connection', { freeParts: 3 * 8, bytesPerSecond: 50 * MIB, helpers: 6 }],
])('no helper is wanted where %s', (_why, changes) => {
  const { worthMs } = settings;
  expect(
    helpWanted({ ...settings, worthMs: 'helpers' in changes ? 0 : worthMs }, { ...progress, ...changes }),
  ).toBeUndefined();
});
