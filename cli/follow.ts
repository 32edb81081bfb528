import type { StatusDocument } from '../http/documents.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit.ts';
import { untilInterrupted } from './interrupt.ts';
import { createReporter, type OutputFlags } from './reporters.ts';
import { exitOf } from './settled.ts';
import { REMOTE_PAUSES, watch } from './watch.ts';

/** Aborts the requests of a command at Ctrl-C, which then ends as an interrupted one does. */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>, parting = ''): Promise<void> {
  const interrupted = untilInterrupted(() => undefined);
  try {
    await work(interrupted);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    process.stderr.write(parting);
    process.exitCode = EXIT.interrupted;
  }
}

/** Follows a batch of a service to its end, and sets the exit code; at Ctrl-C the batch goes on. */
export async function follow(make: (signal: AbortSignal) => Client, id: string, flags: OutputFlags): Promise<void> {
  const reporter = await createReporter(flags);
  let status: StatusDocument | undefined;
  try {
    await interruptible(
      async (signal) => {
        status = await watch(make(signal), id, reporter, { signal, pauseMs: REMOTE_PAUSES, untilClosed: true });
      },
      flags.quiet ? '' : `The batch goes on; see: downburst wait ${id}\n`,
    );
  } finally {
    reporter.close();
  }
  if (status) process.exitCode = exitOf(status);
}
