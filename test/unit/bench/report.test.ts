import { expect, it } from 'vitest';
import { tableText } from '../../../bench/harness/report.ts';

it.each([
  [0, '0'],
  [0.000123, '0.000123'],
  [0.5, '0.5'],
  [20, '20'],
  [99.94, '99.9'],
  [99.95, '100'],
  [99.999, '100'],
  [100, '100'],
  [12_345.6, '12,346'],
])('a figure of %d is printed as %s', (figure, printed) => {
  const median = { wallMs: 1000, figures: { figure } };
  const rows = [{ contestant: 'one', state: 'played' as const, rounds: [median], median }];
  const table = tableText({ benchmark: 'a benchmark', title: 'a case', notes: [], rows, aims: [] });
  expect(table.split(' ').at(-1)).toBe(printed);
});

it('columns are as wide as what is in them, and text is in lines of 80 columns', () => {
  const played = (contestant: string, wallMs: number) => ({
    contestant,
    state: 'played' as const,
    rounds: [{ wallMs }],
    median: { wallMs },
  });
  const rows = [played('one', 1000), played('another one of a long name', 123_456)];
  const table = tableText({ benchmark: 'a', title: 'case', notes: ['words '.repeat(40).trim()], rows, aims: [] });
  expect(table.split('\n')).toEqual([
    '',
    'a: case',
    `  ${'words '.repeat(13).trim()}`,
    `    ${'words '.repeat(12).trim()}`,
    `    ${'words '.repeat(12).trim()}`,
    `    ${'words '.repeat(3).trim()}`,
    '                            wall s    from–to',
    'one                           1.00  1.00–1.00',
    'another one of a long name     123    123–123',
  ]);
});

it('a contestant that needs several programs says which of them is not installed', () => {
  const rows = [
    { contestant: 'aria2c & rclone', state: 'not installed' as const, missing: 'rclone', rounds: [] },
    { contestant: 'wget2', state: 'not installed' as const, missing: 'wget2', rounds: [] },
  ];
  const table = tableText({ benchmark: 'a', title: 'case', notes: [], rows, aims: [] });
  expect(table.split('\n').slice(-2)).toEqual([
    'aria2c & rclone  rclone not installed',
    'wget2            not installed',
  ]);
});
