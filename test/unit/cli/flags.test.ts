import { Readable } from 'node:stream';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { ZodObject } from 'zod';
import { describe, expect, it } from 'vitest';
import { addBatchOptions, batchWishes, flagOf } from '../../../cli/batch-options.ts';
import { connect } from '../../../cli/connection.ts';
import { UsageError } from '../../../cli/exit.ts';
import { openList, type List } from '../../../cli/list.ts';
import { problemText } from '../../../cli/problem.ts';
import { check, optionsSchema } from '../../../http/schemas.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

function parse(...args: string[]) {
  return addBatchOptions(new Command()).exitOverride().parse(args, { from: 'user' });
}

describe("a batch's options as flags", () => {
  it('are named as in curl, wget and aria2, and are what the API takes', () => {
    const { options, headers } = batchWishes(
      parse(
        ...['-j', '4', '--rate', '0.5', '--retry', '2', '--max-redirs', '3', '-U', 'me/1', '--if-exists', 'refresh'],
        ...['--accept-type', 'image/*,text/plain', '--accept-type', 'video/*', '--key-template', '{name}'],
        ...[
          '--prefix',
          'a/',
          '--max-filesize',
          '1.5M',
          '-Q',
          '2G',
          '--connect-timeout',
          '1.5',
          '--header-timeout',
          '2',
        ],
        ...['--read-timeout', '3', '-Y', '1k', '-y', '30', '--deadline', '3600', '--skip-invalid'],
        ...['-H', 'Accept: a', '--header', 'X-Empty:'],
      ),
    );
    expect(options).toEqual({
      connectionsPerHost: 4,
      requestsPerSecondPerHost: 0.5,
      maxAttempts: 3,
      maxRedirects: 3,
      userAgent: 'me/1',
      ifExists: 'refresh',
      contentTypes: ['image/*', 'text/plain', 'video/*'],
      keyTemplate: '{name}',
      prefix: 'a/',
      maxBytes: 1.5 * 1024 ** 2,
      maxTotalBytes: 2 * 1024 ** 3,
      timeouts: { connectMs: 1500, headersMs: 2000, idleMs: 3000 },
      lowSpeed: { bytesPerSecond: 1024, seconds: 30 },
      deadlineSeconds: 3600,
      invalidEntries: 'fail',
    });
    expect(headers).toEqual({ Accept: 'a', 'X-Empty': '' });
    expect(check(optionsSchema, options)).toEqual(options);
  });

  it('are a flag each: none of the API is without one', () => {
    const fields = Object.entries(optionsSchema.shape).flatMap(([name, schema]) => {
      const group = schema.unwrap();
      return group instanceof ZodObject ? Object.keys(group.shape).map((field) => `${name}.${field}`) : [name];
    });
    expect(fields).toContain('timeouts.idleMs');
    const withoutFlag = fields.filter((field) => !flagOf(`options.${field}`).startsWith('--'));
    // A flag of its own, which takes no value: --skip-invalid.
    expect(withoutFlag).toEqual(['invalidEntries']);
  });

  it('say nothing where they are left out', () => {
    expect(batchWishes(parse())).toEqual({ options: {}, headers: {} });
  });

  it.each([
    [['--retry', '20'], '--retry needs a whole number from 0 to 19'],
    [['--rate', 'fast'], '--rate needs a number'],
    [['--quota', '5X'], '--quota needs a number of bytes like 500k'],
    [['--connect-timeout', '0.01'], '--connect-timeout needs a number from 0.1'],
    [['-H', 'no colon s3cr3t'], '--header needs a line like'],
    [['-H', '@/nowhere/headers'], '--header cannot read /nowhere/headers'],
  ])('that cannot be used are refused by their name: %j', (args, message) => {
    const wishes = () => batchWishes(parse(...args));
    expect(wishes).toThrow(UsageError);
    expect(wishes).toThrow(message);
    expect(wishes).not.toThrow('s3cr3t');
  });

  it('are named in what the API says of them', () => {
    const errors = [
      { field: 'options.timeouts.connectMs', reason: 'too small', value: '1' },
      { field: 'options.headers.Host', reason: 'is not yours' },
      { field: 'key', line: 3, column: 5, reason: 'is taken' },
      ...Array.from({ length: 20 }, () => ({ field: 'url', line: 4, reason: 'is no URL' })),
    ];
    expect(problemText({ detail: 'Wrong.', errors }).split('\n')).toEqual([
      'Wrong.',
      "  --connect-timeout '1' too small",
      '  --header Host is not yours',
      '  line 3, column 5, key is taken',
      ...Array<string>(7).fill('  line 4, url is no URL'),
      '  and 13 more',
    ]);
  });
});

describe('a list', () => {
  const textOf = async (list: List) => String(Buffer.concat(await Array.fromAsync(list.read())));
  const stdin = () => Readable.from(['https://example.com/\n']);

  it('is a file, standard input, or URLs', async () => {
    const path = join(await tempFolder(), 'list.csv.gz');
    await writeFile(path, 'url\n');
    await using file = await openList([path], {}, stdin());
    expect(file).toMatchObject({ bytes: 4, format: 'csv', path });
    await using input = await openList(['-'], { inputFormat: 'ndjson' }, stdin());
    expect([input.format, await textOf(input)]).toEqual(['ndjson', 'https://example.com/\n']);
    await using wget = await openList([], { inputFile: '-' }, stdin());
    expect([wget.format, wget.bytes]).toEqual(['text', 21]);
    await using urls = await openList(['https://a.example/', 'http://b.example/'], {}, stdin());
    expect(await textOf(urls)).toBe('https://a.example/\nhttp://b.example/\n');
  });

  it.each([
    [[], {}, 'Which list?'],
    [['/nowhere/list'], {}, 'cannot be read'],
    [['/'], {}, 'it is a folder'],
    [['a.txt', 'b.txt'], {}, 'One list at a time'],
    [['https://example.com/'], { inputFile: 'a.txt' }, 'One list at a time'],
    [[], { inputFile: 'https://example.com/' }, '--input-file needs a file'],
  ])('that is none is refused: %j %j', async (args, flags, message) => {
    await expect(openList(args, flags, stdin())).rejects.toThrow(UsageError);
    await expect(openList(args, flags, stdin())).rejects.toThrow(message);
  });
});

describe('the service', () => {
  it('is asked in the clear on this machine only', () => {
    expect(connect({ api: 'http://127.0.0.1:8787/' }).base).toBe('http://127.0.0.1:8787');
    expect(connect({ api: 'https://example.com/v1/' }).base).toBe('https://example.com/v1');
    expect(() => connect({ api: 'http://example.com/', token: 's3cr3t' })).toThrow(UsageError);
  });
});
