import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The sources' command. */
export const COMMAND = fileURLToPath(new URL('../../cli/downburst.ts', import.meta.url));

/** Without what a developer's shell may say of services, credentials and colours. */
const ENV = { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, HOME: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true' };

export interface CommandExit {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCommand {
  exit: Promise<CommandExit>;
  kill: (signal: NodeJS.Signals) => void;
  /** What it has written so far, to both. */
  output: () => string;
}

export interface CommandOptions {
  stdin?: Buffer | string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Another program than the sources' command, with its first arguments. */
  program?: readonly [string, ...string[]];
}

/** Starts `downburst` with these arguments; it is gone when the running test ends. */
export function startCommand(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const [program, ...first] = options.program ?? [process.execPath, COMMAND];
  const child = spawn(program, [...first, ...args], { cwd: options.cwd, env: { ...ENV, ...options.env } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // One that does not read all of it is the test's own affair.
  child.stdin.on('error', () => undefined).end(options.stdin);
  const exit = new Promise<CommandExit>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return { exit, kill: (signal) => child.kill(signal), output: () => stdout + stderr };
}

/** Runs `downburst` to its end. */
export function runCommand(args: readonly string[], options?: CommandOptions): Promise<CommandExit> {
  return startCommand(args, options).exit;
}

/** Flags with which `get` may use the origins that tests start, and one thread. */
export const ON_LOOPBACK = ['--allow-network', '127.0.0.0/8', '--workers', '1'];

/** A program that runs another one at a terminal of 80 columns; what both write comes as stdout. */
export function atTerminal(command: string): readonly [string, ...string[]] {
  return ['script', '-qec', `stty cols 80 rows 24; exec ${command}`, '/dev/null'];
}
