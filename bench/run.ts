/**
 * Runs benchmarks: Downburst and what a user would take instead, side by side (bench/README.md).
 *
 *     npm run bench -- [NAME…] [--rounds N] [--tiny] [--json FILE] [--markdown] [--disk FOLDER]
 *     npm run bench -- SCRIPT [ITS OWN ARGUMENTS…]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchmarks, scripts } from './benchmarks.ts';
import type { Benchmark } from './harness/benchmark.ts';
import { CannotRun } from './harness/cannot-run.ts';
import { EXIT_USAGE, readCommandLine, wholeNumber } from './harness/command-line.ts';
import { makeContext } from './harness/context.ts';
import { describeMachine } from './harness/machine.ts';
import { play, type CaseResult } from './harness/play.ts';
import { tableMarkdown, tableText } from './harness/report.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EXIT = { failed: 1, interrupted: 130 } as const;

const USAGE = `Usage: npm run bench -- [NAME…] [options]
       npm run bench -- SCRIPT [its own arguments]

  --rounds N      rounds of each contestant; 1 with --tiny
  --tiny          everything at a size that takes a second, to see whether it works
  --json FILE     all rounds, the machine and the versions, as JSON
  --markdown      print Markdown instead of plain tables
  --disk FOLDER   where "to disk" is (default: the system's folder for temporary files)

Benchmarks; without a name all are run but those that say otherwise:

${benchmarks.map(line).join('')}
Scripts, which pass or fail by themselves:

${scripts.map(line).join('')}`;

const script = scripts.find(({ name }) => name === process.argv[2]);
process.exitCode = await (script ? runScript(script.module) : main());

function line({ name, about, onlyByName }: Pick<Benchmark, 'name' | 'about' | 'onlyByName'>): string {
  return `  ${name.padEnd(14)}  ${about}${onlyByName === undefined ? '' : ` Only by its name: ${onlyByName}.`}\n`;
}

/** @returns its exit status */
async function runScript(module: URL): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(module), ...process.argv.slice(3)], { stdio: 'inherit' });
  // The script ends by it, and so do we; by Ctrl-C it comes twice.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? EXIT.failed;
}

/** @returns the exit status: 0 also if aims are missed, which is no failure */
async function main(): Promise<number> {
  const { values, chosen, rounds } = readCommandLine(commandLine);
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  for (const signal of SIGNALS) process.on(signal, stop);
  // A reader that has gone, as `head` does.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', stop);
  const { signal } = interrupt;
  const size = values.tiny ? 'tiny' : 'full';
  const date = new Date().toISOString();
  const machine = describeMachine();
  const results: CaseResult[] = [];
  try {
    await using stack = new AsyncDisposableStack();
    const context = stack.use(await makeContext({ size, signal, disk: values.disk }));
    if (values.json !== undefined) {
      const content = () => ({ date, machine, size, interrupted: signal.aborted, results });
      stack.defer(await openJson(values.json, content));
    }
    console.log(`${date.slice(0, 10)}, ${machine}${values.tiny ? '; tiny sizes, which compare nothing' : ''}`);
    for (const benchmark of chosen) {
      for await (const one of benchmark.cases(context)) {
        const result = await play(benchmark.name, one, {
          rounds: rounds ?? (values.tiny ? 1 : benchmark.rounds),
          size,
          signal,
          onRound: (text) => process.stderr.write(`${text}\n`),
        });
        results.push(result);
        signal.throwIfAborted();
        console.log(values.markdown ? `\n${tableMarkdown(result)}` : tableText(result));
      }
    }
  } catch (error) {
    if (signal.aborted) {
      console.error('Interrupted.');
      return EXIT.interrupted;
    }
    if (!(error instanceof CannotRun)) throw error;
    console.error(error.message);
    return EXIT_USAGE;
  }
  return results.some(({ rows }) => rows.some(({ state }) => state === 'failed')) ? EXIT.failed : 0;
}

/**
 * Opens a file before there is anything to be written, so that nothing is measured in vain.
 *
 * @returns writes what there is then. Errors: `CannotRun`
 */
async function openJson(path: string, content: () => object): Promise<() => Promise<void>> {
  const file = await open(path, 'w').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotRun(`--json FILE must be one to write to, which "${path}" is not (${code}).`, { cause: error });
  });
  return async () => {
    await file.writeFile(`${JSON.stringify(content(), null, 2)}\n`);
    await file.close();
  };
}

/** Errors: what cannot be used of it. */
function commandLine() {
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
  const rounds = values.rounds === undefined ? undefined : wholeNumber('--rounds', values.rounds);
  const unknown = positionals.find((name) => !benchmarks.some((benchmark) => benchmark.name === name));
  if (scripts.some(({ name }) => name === unknown)) {
    throw new Error(`${unknown} is a script, which stands first and alone: npm run bench -- ${unknown}.`);
  }
  if (unknown !== undefined) throw new Error(`There is no benchmark ${unknown}; --help lists them.`);
  const chosen = benchmarks.filter(({ name, onlyByName }) =>
    positionals.length === 0 ? onlyByName === undefined : positionals.includes(name),
  );
  return { values, chosen, rounds };
}
