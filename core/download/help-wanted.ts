import { HELP_MEASURE_MS, HELP_WORTH_MS, HELPER_WORK_MS, MAX_HELPERS } from '../model/limits.ts';

/** When another worker is worth asking. */
export interface HelpSettings {
  /** What one worker can do at least: one that does less is held up by the source, and would be in company. */
  workerBytesPerSecond: number;
  /** The rest of a file has to take so long. */
  worthMs: number;
  /** Over so long a speed is measured. */
  measureMs: number;
}

/** Where one worker can do so much at least. */
export function helpFrom(workerBytesPerSecond: number): HelpSettings {
  return { workerBytesPerSecond, worthMs: HELP_WORTH_MS, measureMs: HELP_MEASURE_MS };
}

/** How a file is getting on. */
export interface Progress {
  /** Parts that nobody fetches. */
  freeParts: number;
  partBytes: number;
  /** Of this worker alone. */
  bytesPerSecond: number;
  /** Connections that it has for this file beside the attempt's own. */
  lent: number;
  /** The most that the file may have, wherever they are. */
  connectionsPerFile: number;
  /** Helpers that are out. */
  helpers: number;
}

/** A helper must have so many connections, and leave so many. */
const LEAST_CONNECTIONS = 2;

/**
 * Whether another worker would bring a file on, and then how many connections it has, and how many parts. The connections
 * are an even share among as many workers as there can be: who asks keeps what it can make use of. The parts are half of what
 * as many connections bring of the rest, if all of the file's are alike: fewer and fewer towards the end, so that nobody waits
 * for the last of them (guided self-scheduling; Polychronopoulos and Kuck, 1987), also where it is the source that is slow.
 */
export function helpWanted(
  { workerBytesPerSecond, worthMs }: HelpSettings,
  { freeParts, partBytes, bytesPerSecond, lent, connectionsPerFile, helpers }: Progress,
): { connections: number; parts: number } | undefined {
  const connections = Math.max(LEAST_CONNECTIONS, Math.floor(connectionsPerFile / (MAX_HELPERS + 1)));
  const keepsEnough = 1 + lent - connections >= LEAST_CONNECTIONS;
  const restMs = ((freeParts * partBytes) / bytesPerSecond) * 1000;
  if (helpers >= MAX_HELPERS || !keepsEnough || bytesPerSecond < workerBytesPerSecond || restMs < worthMs)
    return undefined;
  const share = connections / (1 + lent + helpers * connections);
  // By what as many connections bring here.
  const most = ((bytesPerSecond / partBytes) * HELPER_WORK_MS * connections) / (1 + lent) / 1000;
  const parts = Math.floor(Math.min((freeParts * share) / 2, most));
  return parts < connections ? undefined : { connections, parts };
}
