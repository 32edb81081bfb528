import { stripVTControlCharacters, styleText } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fit, progressBlock, progressText, secondsLeft, summaryText, type Paint } from '../../../cli/progress.ts';
import type { StatusDocument } from '../../../http/documents.ts';
import { DEFAULT_OPTIONS } from '../../../core/model/options.ts';

const status = (given: Partial<StatusDocument> = {}): StatusDocument => ({
  id: '01a2078c-c58e-7573-bb46-9ec1b7d01556',
  state: 'running',
  createdAt: '2030-01-01T00:00:00.000Z',
  deadline: '2030-01-08T00:00:00.000Z',
  total: 10_000,
  duplicates: 0,
  done: 4000,
  failed: 200,
  skipped: 0,
  cancelled: 0,
  pending: 5800,
  retrying: 16,
  bytes: 1_200_000_000,
  failures: { NOT_FOUND: 150, TRUNCATED: 50 },
  rate: { filesPerSecond: 320, bytesPerSecond: 12_000_000 },
  averageRate: { filesPerSecond: 100, bytesPerSecond: 1000 },
  etaSeconds: 18,
  shards: { total: 4, finished: 0, working: 4 },
  options: { ...DEFAULT_OPTIONS, prefix: '' },
  warnings: [],
  links: { self: '', files: '' },
  ...given,
});

const plain: Paint = (_, text) => text;
const coloured: Paint = (colour, text) => styleText(colour, text, { validateStream: false });
const at = (width: number) => ({ seconds: 42, sinceStatus: 3, width });

describe('the progress at a terminal', () => {
  it('is a bar, what came so far and how fast, what is left, failures by code, and the worst hosts', () => {
    expect(progressBlock(status(), [['a.example', 150]], at(79), plain)).toBe(
      [
        '████████████████░░░░░░░░░░░░░░░░░░░░░   42 %  4,200 of 10,000 files  200 failed',
        '320 files/s  12 MB/s  1.20 GB  42 s  about 15 s left  16 under way',
        'failed: NOT_FOUND 150, TRUNCATED 50',
        'worst hosts: a.example 150',
      ].join('\n'),
    );
  });

  it('fits into every width, colours and all', () => {
    const counts = fc.integer({ min: 0, max: 10_000_000 });
    const hosts = fc.array(fc.tuple(fc.domain(), counts), { maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 300 }), counts, counts, hosts, (width, done, pending, worst) => {
        const block = progressBlock(status({ done, pending, total: done + pending + 200 }), worst, at(width), coloured);
        for (const line of block.split('\n')) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(width);
      }),
    );
  });

  it('says what a batch is at that is not running', () => {
    expect(progressBlock(status({ state: 'planning', linesPlanned: 1200 }), [], at(79), plain)).toContain(
      '1,200 lines',
    );
    expect(progressBlock(status({ state: 'paused' }), [], at(79), plain)).toContain('paused');
  });
});

describe('progress in words', () => {
  it('is one line for a log', () => {
    expect(progressText(status())).toBe(
      '4,200 of 10,000 files (42 %), 320 files/s, 12 MB/s, about 18 s left, failed: NOT_FOUND 150, TRUNCATED 50',
    );
  });

  it('is one sentence at the end', () => {
    expect(summaryText(status({ skipped: 7, cancelled: 5, pending: 0 }), 61)).toBe(
      '4,000 files stored (1.20 GB), 7 were there, 200 failed (NOT_FOUND 150, TRUNCATED 50), 5 cancelled, in 1 min 1 s.',
    );
  });

  it('guesses by the speed of the whole batch while there is no other', () => {
    const none = { filesPerSecond: 0, bytesPerSecond: 0 };
    expect(secondsLeft(status({ rate: none, etaSeconds: undefined }))).toBe(58);
    expect(secondsLeft(status({ rate: none, averageRate: none, etaSeconds: undefined }))).toBeUndefined();
    expect(secondsLeft(status({ state: 'paused' }))).toBeUndefined();
  });

  it('is cut where not even its beginning fits', () => {
    expect(fit(['long-host.example', 'more'], 8)).toBe('long-ho…');
  });
});
