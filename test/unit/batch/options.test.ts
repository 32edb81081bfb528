import { describe, expect, test } from 'vitest';
import { resolveOptions } from '../../../core/batch/options.ts';
import { InvalidOptionError } from '../../../core/model/errors.ts';
import { DEFAULT_OPTIONS } from '../../../core/model/options.ts';
import { LIMITS } from './service.ts';

const resolve = (given: Parameters<typeof resolveOptions>[0], limits = LIMITS) => resolveOptions(given, 'id', limits);

test('options that are not given have their defaults', () => {
  expect(resolve({})).toEqual({ ...DEFAULT_OPTIONS, prefix: 'id/', ownPrefix: true });
});

test('a group of options can be given in part', () => {
  const { timeouts, lowSpeed } = resolve({ timeouts: { idleMs: 5 }, lowSpeed: { seconds: 7 } });
  expect(timeouts).toEqual({ ...DEFAULT_OPTIONS.timeouts, idleMs: 5 });
  expect(lowSpeed).toEqual({ ...DEFAULT_OPTIONS.lowSpeed, seconds: 7 });
});

test('a batch that asks for nothing gets as many connections per host as are allowed where it runs', () => {
  expect(resolve({}, { ...LIMITS, maxConnectionsPerHost: 3 }).connectionsPerHost).toBe(3);
});

test('more connections per host than allowed are refused', () => {
  expect(resolve({ connectionsPerHost: 64 }).connectionsPerHost).toBe(64);
  expect(() => resolve({ connectionsPerHost: 65 })).toThrow(
    new InvalidOptionError('connectionsPerHost', 'at most 64 are allowed here'),
  );
});

describe('a prefix', () => {
  test.each(['', 'a/', 'a/b/', 'été/', `${'x'.repeat(255)}/${'y'.repeat(255)}/`])('can be %j', (prefix) => {
    expect(resolve({ prefix })).toMatchObject({ prefix, ownPrefix: false });
  });

  test.each([
    ['a', 'does not end with /'],
    ['/', 'is empty'],
    ['/a/', 'starts with /'],
    ['a//', 'has an empty segment'],
    ['../', 'has the segment ..'],
    ['a/../', 'has the segment ..'],
    ['a\\b/', 'has a backslash'],
    ['a\n/', 'has a control character'],
    ['e\u0301/', 'is not in Unicode normal form C'],
    [`${'a/'.repeat(256)}b/`, 'has more than 512 bytes'],
    [`${'x'.repeat(256)}/`, 'has a segment of more than 255 bytes'],
  ])('cannot be %j', (prefix, reason) => {
    expect(() => resolve({ prefix })).toThrow(`prefix: ${reason}`);
  });
});

test('a bad key template is refused', () => {
  expect(resolve({ keyTemplate: '{index}{ext}' }).keyTemplate).toBe('{index}{ext}');
  expect(() => resolve({ keyTemplate: '{nothing}' })).toThrow('keyTemplate: {nothing} is not known');
});
