import type { Measured } from './benchmark.ts';
import type { AimResult, CaseResult, Row } from './play.ts';

/** What is printed of a case: a table as narrow as its cells, with text of 80 columns around it, or the same in Markdown. */

const TEXT_WIDTH = 80;
const BETWEEN_COLUMNS = 2;

/** For a terminal. */
export function tableText(result: CaseResult): string {
  const [heading = [], ...rows] = cellsOf(result);
  const widths = heading.map((_, i) => Math.max(...[heading, ...rows].map((cells) => cells[i]?.length ?? 0)));
  const line = ([name = '', ...cells]: readonly string[]) =>
    [
      name.padEnd(widths[0] ?? 0),
      ...cells.map((cell, i) => cell.padStart((widths[i + 1] ?? 0) + BETWEEN_COLUMNS)),
    ].join('');
  return [
    `\n${result.benchmark}: ${result.title}`,
    ...result.notes.flatMap(indented),
    line(heading),
    ...rows.map(line),
    ...failures(result).flatMap(indented),
    ...result.aims.flatMap((aim) => indented(aimText(aim))),
  ].join('\n');
}

/** A text in lines. */
function indented(text: string): string[] {
  const lines: string[] = [];
  let line = ' ';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > TEXT_WIDTH) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** For `bench/README.md`. */
export function tableMarkdown(result: CaseResult): string {
  const [heading = [], ...rows] = cellsOf(result);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    `**${result.benchmark}: ${result.title}.** ${result.notes.map((note) => `${note}.`).join(' ')}\n`,
    line(heading),
    line(heading.map((_, i) => (i === 0 ? '---' : '--:'))),
    ...rows.map((cells) => line([...cells, ...Array<string>(heading.length - cells.length).fill('')])),
    '',
    ...failures(result).map((failure) => `- ${failure}`),
    ...result.aims.map((aim) => `- ${aimText(aim)}`),
  ].join('\n');
}

function failures({ rows }: CaseResult): string[] {
  return rows.flatMap(({ contestant, problem }) => (problem === undefined ? [] : [`${contestant} FAILED: ${problem}`]));
}

/** The heading and a row for each contestant, which begins with its name; without columns that nobody has a value for. */
function cellsOf({ rows }: CaseResult): string[][] {
  const figures = [...new Set(rows.flatMap(({ median }) => Object.keys(median?.figures ?? {})))];
  const columns = [...COLUMNS, ...figures.map(figureColumn)].filter(({ cell }) =>
    rows.some((row) => row.median && cell(row, row.median) !== undefined),
  );
  return [
    ['', ...columns.map(({ heading }) => heading)],
    ...rows.map((row) => {
      const { contestant, missing, median } = row;
      if (missing !== undefined) return [contestant, `  ${missing === contestant ? '' : `${missing} `}not installed`];
      if (!median) return [nameOf(row), 'FAILED'];
      return [nameOf(row), ...columns.map(({ cell }) => cell(row, median) ?? '–')];
    }),
  ];
}

interface Column {
  heading: string;
  cell: (row: Row, median: Measured) => string | undefined;
}

const COLUMNS: readonly Column[] = [
  { heading: 'wall s', cell: (_, { wallMs }) => seconds(wallMs) },
  {
    heading: 'from–to',
    cell({ rounds }) {
      const walls = rounds.map(({ wallMs }) => wallMs);
      return `${seconds(Math.min(...walls))}–${seconds(Math.max(...walls))}`;
    },
  },
  { heading: '× first', cell: ({ timesFirst }) => timesFirst?.toFixed(2) },
  { heading: 'CPU s', cell: (_, { cpuMs }) => (cpuMs === undefined ? undefined : seconds(cpuMs)) },
  {
    heading: 'peak MB',
    cell: (_, { peakBytes }) => (peakBytes === undefined ? undefined : (peakBytes / 1e6).toFixed(0)),
  },
];

function figureColumn(name: string): Column {
  return { heading: name, cell: (_, { figures }) => readable(figures?.[name]) };
}

function nameOf({ contestant, version }: Row): string {
  return version === undefined ? contestant : `${contestant} ${version}`;
}

/** An aim, and whether it is met, or by how much it is missed. */
function aimText({ text, atLeast, atMost, measured, met }: AimResult): string {
  const wanted = atLeast === undefined ? `at most ${readable(atMost)}` : `at least ${readable(atLeast)}`;
  const aim = `aim: ${wanted} ${text}`;
  if (measured === undefined) return `${aim}: not known`;
  const bound = atLeast ?? atMost ?? NaN;
  const off = ((100 * Math.abs(measured - bound)) / bound).toFixed(0);
  return `${aim}: ${readable(measured)}, ${met ? 'met' : `MISSED by ${off} %`}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 2 : ms < 100_000 ? 1 : 0);
}

function readable(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
