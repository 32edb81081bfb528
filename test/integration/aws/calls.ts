import type { WireCall } from '../../helpers/aws-wire.ts';

/** Uploads in parts that were begun, all that S3 knows of, and what became of them. */
export interface Uploads {
  begun: number;
  /** Their answers were lost: only the bucket's rule ends them. */
  unheard: number;
  /** So it does these. */
  leftByDead: number;
  /** Keys of those that no instance which lives has completed or aborted. */
  leftOpen: string[];
}

/** What became of all uploads; an instance that died cannot have ended its own. */
export function countUploads(calls: readonly WireCall[], deadOwners: ReadonlySet<string>): Uploads {
  const landed = calls.filter(({ attempts }) => attempts.some((attempt) => attempt.landed));
  const named = (...commands: string[]) => landed.filter(({ command }) => commands.includes(command));
  const creations = named('CreateMultipartUpload');
  const begun = creations.flatMap(({ attempts }) => attempts.filter((attempt) => attempt.landed)).length;
  const ended = new Set(named('CompleteMultipartUpload', 'AbortMultipartUpload').map(({ input }) => input.UploadId));
  const open = creations.filter(({ output }) => output && !ended.has(output.UploadId));
  return {
    begun,
    unheard: begun - creations.filter(({ output }) => output).length,
    leftByDead: open.filter(({ owner }) => deadOwners.has(owner)).length,
    leftOpen: open.filter(({ owner }) => !deadOwners.has(owner)).map(({ input }) => String(input.Key)),
  };
}

/** Requests sent, repetitions among them: those that store a file by one PUT, and the others by what they ask. */
export interface Requests {
  ofFiles: number;
  others: Map<string, number>;
}

export function countRequests(calls: readonly WireCall[], isFile: (call: WireCall) => boolean): Requests {
  const others = new Map<string, number>();
  let ofFiles = 0;
  for (const call of calls) {
    const name = `${call.service} ${call.command}`;
    if (isFile(call)) ofFiles += call.attempts.length;
    else others.set(name, (others.get(name) ?? 0) + call.attempts.length);
  }
  return { ofFiles, others };
}

interface ItemKey {
  sk?: unknown;
}

/**
 * Names every attempt by what it is about and how often that was tried before: what a test tries first is named the same
 * in all its runs, though keys hold the sources' ports, which are not.
 */
export function createNames(): (call: WireCall) => string {
  const attempts = new Map<string, number>();
  return ({ service, command, input }) => {
    const { Key, PartNumber, Item } = input as { Key?: string | ItemKey; PartNumber?: number; Item?: ItemKey };
    const key = typeof Key === 'string' ? Key.replace(/(?<=\/127\.0\.0\.1)_\d+(?=\/)/, '') : (Item ?? Key)?.sk;
    const about = JSON.stringify([service, command, key, PartNumber]);
    const count = (attempts.get(about) ?? 0) + 1;
    attempts.set(about, count);
    return `${about} ${count}`;
  };
}
