import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readList } from '../../../core/lists/formats.ts';
import { failureOf, piecesOf, valuesOf } from './read.ts';

const MIB = 1024 ** 2;

const TEXT = 'https://h/a\nhttps://h/é\n';
const ITEMS = [
  [1, 'https://h/a'],
  [2, 'https://h/é'],
];

describe('a gzipped list', () => {
  test('is unpacked, however it is cut into pieces', async () => {
    for (const pieceBytes of [1, 3, 1000])
      expect(await valuesOf('text', gzipSync(TEXT), { pieceBytes })).toEqual(ITEMS);
  });

  test('may be of several members, as pigz and cat make it', async () => {
    const members = Buffer.concat([gzipSync(TEXT.slice(0, 5)), gzipSync(TEXT.slice(5))]);
    expect(await valuesOf('text', members)).toEqual(ITEMS);
  });

  test.each([
    ['it is cut off', gzipSync(TEXT).subarray(0, -9), 'The list ends before its gzip does; nothing was started.'],
    [
      'its bytes are damaged',
      Buffer.concat([gzipSync(TEXT).subarray(0, 10), Buffer.from('and then something else')]),
      'The list begins as gzip and is none; nothing was started.',
    ],
    [
      'it unpacks to more than a list may have',
      gzipSync(Buffer.alloc(50_000_000, 'https://h/a\n')),
      'The list has more than 1 MiB, unpacked; split it; nothing was started.',
    ],
  ])('is refused when %s', async (_, bytes, message) => {
    expect(await failureOf('text', bytes, { pieceBytes: 16_384 })).toEqual({ message, problem: undefined });
  });

  test('is not unpacked any further than it may be', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB, 'a\n'), { level: 1 });
    let given = 0;
    async function* counted() {
      for await (const piece of piecesOf(bomb, 1024)) {
        given += piece.length;
        yield piece;
      }
    }
    await expect(Array.fromAsync(readList(counted(), 'text', MIB))).rejects.toThrow('more than 1 MiB');
    expect(given).toBeLessThan(bomb.length / 2);
  });
});

describe('a list that is not UTF-8', () => {
  test.each([
    [
      'in Latin-1',
      Buffer.from('https://h/a\nhttps://h/caf\xe9\nx', 'latin1'),
      { line: 2, column: 14, reason: 'is not UTF-8' },
    ],
    ['at its very beginning', Buffer.from([0x80, 0x41]), { line: 1, column: 1, reason: 'is not UTF-8' }],
    [
      'behind characters of several bytes',
      Buffer.concat([Buffer.from('é\né€'), Buffer.from([0xc0, 0x41])]),
      { line: 2, column: 6 },
    ],
    [
      'by a character that is cut off at its end',
      Buffer.from('a\n€').subarray(0, 4),
      { line: 2, column: 1, reason: 'ends in the middle of a character' },
    ],
  ])('is refused %s, with line and column', async (_, bytes, problem) => {
    for (const pieceBytes of [1, 2, 3, 1000]) {
      expect((await failureOf('text', bytes, { pieceBytes })).problem).toMatchObject(problem);
    }
  });

  test.each(['fffe', 'feff'])('is refused as UTF-16 by its byte order mark %s', async (mark) => {
    const { message } = await failureOf('text', Buffer.concat([Buffer.from(mark, 'hex'), Buffer.from('a\0b\0')]));
    expect(message).toBe('The list is in UTF-16; save it in UTF-8; nothing was started.');
  });
});
