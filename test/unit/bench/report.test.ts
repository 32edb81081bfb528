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
