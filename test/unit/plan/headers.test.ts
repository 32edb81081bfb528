import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readHeaders } from '../../../core/plan/headers.ts';

function read(value: unknown) {
  const problems: [field: string, reason: string][] = [];
  const headers = readHeaders(value, (field, shown, reason) => {
    expect(shown).toBe('');
    problems.push([field, reason]);
  });
  return { headers, problems };
}

describe('request headers', () => {
  test('have their names in lower case and their values trimmed', () => {
    expect(read({ 'X-Token': '\t a b ', Cookie: '' })).toEqual({
      headers: { 'x-token': 'a b', cookie: '' },
      problems: [],
    });
  });

  test('can be named like properties of every object', () => {
    const { headers, problems } = read(JSON.parse('{"__proto__": "a", "constructor": "b"}'));
    expect(problems).toEqual([]);
    expect(Object.entries(headers)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });

  test.each<[string, unknown, string, string]>([
    ['no object', 'x: y', 'headers', 'is not an object of names and values'],
    ['null', null, 'headers', 'is not an object of names and values'],
    ['a list', [['a', 'b']], 'headers', 'is not an object of names and values'],
    ['an empty name', { '': 'x' }, 'headers.', 'is not a header name'],
    ['a name with a space', { 'a b': 'x' }, 'headers.a', 'is not a header name'],
    ['a name that is not ASCII', { é: 'x' }, 'headers.é', 'is not a header name'],
    ['a name with a line break', { 'a\r\nb': 'x' }, 'headers.a', 'is not a header name'],
    ['name and value in one', { 'Authorization: Bearer s': '' }, 'headers.Authorization', 'is not a header name'],
    ['a name twice', { A: 'x', a: 'y' }, 'headers.a', 'is given twice'],
    ['a number for a value', { a: 5 }, 'headers.a', 'has a value that is not a string'],
    ['a list for a value', { a: ['x'] }, 'headers.a', 'has a value that is not a string'],
    ['a value with a line break', { a: 'x\r\nHost: y' }, 'headers.a', 'has a value that no header may have'],
    ['a value that ends in a line break', { a: 'x\n' }, 'headers.a', 'has a value that no header may have'],
    ['a value with a NUL', { a: '\0' }, 'headers.a', 'has a value that no header may have'],
    ['a value beyond Latin-1', { a: '€' }, 'headers.a', 'has a value that no header may have'],
    ['Host', { Host: 'x' }, 'headers.Host', 'is set by the download itself'],
    ['Range', { RANGE: 'x' }, 'headers.RANGE', 'is set by the download itself'],
    ['Accept-Encoding', { 'accept-encoding': 'x' }, 'headers.accept-encoding', 'is set by the download itself'],
    ['a header for proxies', { 'Proxy-Foo': 'x' }, 'headers.Proxy-Foo', 'is set by the download itself'],
  ])('are refused with %s', (_, value, field, reason) => {
    expect(read(value).problems).toEqual([[field, reason]]);
  });

  test('are 64 at most', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, '']));
    expect(read(many(64)).problems).toEqual([]);
    expect(read(many(65)).problems).toEqual([['headers', 'are more than 64']]);
  });

  test('have 16 KiB at most', () => {
    expect(read({ a: 'x'.repeat(16_383) }).problems).toEqual([]);
    expect(read({ a: 'x'.repeat(16_384) }).problems).toEqual([['headers', 'are more than 16384 bytes']]);
  });

  test('show nothing of a value in what is wrong with them, even where it stands in the name', () => {
    const text = fc.constantFrom('SECRET', 'SECRET\n', 'SECRET€', ' SECRET');
    const name = fc.constantFrom(
      '',
      'a',
      'Host',
      'a b',
      'Authorization: SECRET',
      'Authorization:SECRET',
      'a=SECRET',
      'X SECRET',
      'Cookie\tSECRET',
    );
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(text, fc.array(text))), (value) => {
        expect(JSON.stringify(read(value).problems)).not.toContain('SECRET');
      }),
    );
  });
});
