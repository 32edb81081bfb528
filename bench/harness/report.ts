import type { Measured } from './benchmark.ts';
import type { AimResult, CaseResult, Row } from './play.ts';

/** What is printed of a case: a table of 80 columns, or of Markdown. */

const NAME_WIDTH = 20;
const CELL_WIDTH = 10;

/** For a terminal. */
export function tableText(result: CaseResult): string {
  const [heading, ...rows] = cellsOf(result);
  const line = ([name = '', ...cells]: readonly string[]) =>
    [name.padEnd(NAME_WIDTH), ...cells.map((cell) => cell.padStart(CELL_WIDTH))].join('').trimEnd();
  return [
    `\n${result.benchmark}: ${result.title}`,
    ...result.notes.map((note) => `  ${note}`),
    line(heading ?? []),
    ...rows.map(line),
    ...failures(result).map((failure) => `  ${failure}`),
    ...result.aims.map((aim) => `  ${aimText(aim)}`),
  ].join('\n');
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

/** The heading and a row for each contestant, which begins with its name. */
function cellsOf({ rows }: CaseResult): string[][] {
  const [first] = rows;
  const figures = [...new Set(rows.flatMap(({ median }) => Object.keys(median?.figures ?? {})))];
  return [
    ['', 'wall s', 'from–to', '× first', 'CPU s', 'peak MB', ...figures],
    ...rows.map((row) => [nameOf(row), ...valuesOf(row, first?.median, figures)]),
  ];
}

function nameOf({ contestant, version }: Row): string {
  return version === undefined ? contestant : `${contestant} ${version}`;
}

function valuesOf({ state, rounds, median }: Row, first: Measured | undefined, figures: string[]) {
  if (median === undefined) return [state === 'failed' ? 'FAILED' : '  not installed'];
  const walls = rounds.map(({ wallMs }) => wallMs);
  return [
    seconds(median.wallMs),
    `${seconds(Math.min(...walls))}–${seconds(Math.max(...walls))}`,
    first === undefined ? '–' : (median.wallMs / first.wallMs).toFixed(2),
    median.cpuMs === undefined ? '–' : seconds(median.cpuMs),
    median.peakBytes === undefined ? '–' : (median.peakBytes / 1e6).toFixed(0),
    ...figures.map((name) => readable(median.figures?.[name])),
  ];
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
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3).replace(/\.?0+$/, '');
}
