/**
 * Runs benchmarks: Downburst and what a user would take instead, side by side (bench/README.md).
 *
 *     npm run bench -- [NAME…] [--rounds N] [--tiny] [--json FILE] [--markdown] [--disk FOLDER]
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';
import { benchmarks } from './benchmarks.ts';
import type { Benchmark } from './harness/benchmark.ts';
import { makeContext } from './harness/context.ts';
import { describeMachine } from './harness/machine.ts';
import { play, type CaseResult } from './harness/play.ts';
import { tableMarkdown, tableText } from './harness/report.ts';

const USAGE = `Usage: npm run bench -- [NAME…] [options]

  --rounds N      rounds of each contestant; 1 with --tiny
  --tiny          everything at a size that takes a second, to see whether it works
  --json FILE     all rounds, the machine and the versions, as JSON
  --markdown      print Markdown instead of plain tables
  --disk FOLDER   where "to disk" is (default: the system's folder for temporary files)

Without a name all benchmarks are run but those that say otherwise:

`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    tiny: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'boolean', default: false },
    disk: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) process.stdout.write(USAGE + benchmarks.map(line).join(''));
else process.exitCode = await run(chosen(positionals));

function line({ name, about, onlyByName }: Benchmark): string {
  return `  ${name.padEnd(14)}  ${about}${onlyByName === undefined ? '' : ` Only by its name: ${onlyByName}.`}\n`;
}

/** Errors: there is no such benchmark. */
function chosen(names: readonly string[]): Benchmark[] {
  const unknown = names.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
  if (unknown.length > 0) throw new Error(`There is no benchmark ${unknown.join(', ')}; --help lists them.`);
  if (names.length === 0) return benchmarks.filter(({ onlyByName }) => onlyByName === undefined);
  return benchmarks.filter(({ name }) => names.includes(name));
}

/** @returns the exit status: 1 if a contestant failed, 130 if the user interrupted; a missed aim is no failure */
async function run(all: readonly Benchmark[]): Promise<number> {
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1)) {
    throw new Error(`--rounds is a whole number from 1, and not ${values.rounds}.`);
  }
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
  const { signal } = interrupt;
  const size = values.tiny ? 'tiny' : 'full';
  const date = new Date().toISOString();
  const results: CaseResult[] = [];
  console.log(`${date.slice(0, 10)}, ${describeMachine()}${values.tiny ? '; tiny sizes, which compare nothing' : ''}`);
  try {
    await using context = await makeContext({ size, signal, disk: values.disk });
    for (const benchmark of all) {
      for await (const one of benchmark.cases(context)) {
        // What earlier ones have left to be written is not to be waited for by later ones.
        const flush = () => promisify(execFile)('sync');
        const contestants = one.contestants.map((contestant) => ({
          ...contestant,
          play: async (signal: AbortSignal) => (await flush(), contestant.play(signal)),
        }));
        const result = await play(
          benchmark.name,
          { ...one, contestants },
          {
            rounds: rounds ?? (values.tiny ? 1 : benchmark.rounds),
            judgeAims: !values.tiny,
            signal,
            onRound: (text) => process.stderr.write(`${text}\n`),
          },
        );
        results.push(result);
        console.log(values.markdown ? `\n${tableMarkdown(result)}` : tableText(result));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    console.error('Interrupted.');
    return 130;
  }
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ date, machine: describeMachine(), size, results }, null, 2)}\n`);
  }
  return results.some(({ rows }) => rows.some(({ state }) => state === 'failed')) ? 1 : 0;
}
