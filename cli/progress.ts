import { styleText } from 'node:util';
import type { FileDocument, StatusDocument } from '../http/documents.ts';
import { redactUrl } from '../core/model/redact.ts';
import { byteSize, count, counted, duration, percent, threeDigits } from '../core/model/text.ts';

/** A batch's progress in words: pure functions of what is known. */

/** Colours a text, or does not, where there are to be no colours. */
export type Paint = (colour: 'cyan' | 'dim' | 'red' | 'yellow', text: string) => string;

/** For a terminal: without colours under NO_COLOR and where the stream is none. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (colour, text) => styleText(colour, text, { stream });
}

/** Hosts by failures, the worst first. */
export type WorstHosts = readonly (readonly [host: string, failed: number])[];

const MAX_BAR = 40;
const MIN_BAR = 8;
const SHOWN_CODES = 4;

/** The block that stands on a terminal while a batch runs; no line is longer than `width`. */
export function progressBlock(
  status: StatusDocument,
  hosts: WorstHosts,
  at: { seconds: number; sinceStatus: number; width: number },
  paint: Paint,
): string {
  const lines = [barLine(status, at.width, paint), fit(speedParts(status, at), at.width)];
  const codes = failureParts(status);
  if (codes.length > 0) lines.push(paint('red', fit([`failed: ${codes.join(', ')}`], at.width)));
  const worst = hosts.map(([host, failed]) => `${host} ${count(failed)}`);
  if (worst.length > 0) lines.push(fit([`worst hosts: ${worst.join(', ')}`], at.width));
  return lines.join('\n');
}

function barLine(status: StatusDocument, width: number, paint: Paint): string {
  const { total, pending, state } = status;
  const settled = total - pending;
  if (state === 'planning') return fit([`reading the list: ${counted(status.linesPlanned ?? 0, 'line')}`], width);
  const parts = [`${String(percent(settled, total)).padStart(3)} %`, `${count(settled)} of ${counted(total, 'file')}`];
  if (status.failed > 0) parts.push(`${count(status.failed)} failed`);
  if (state !== 'running') parts.push(state);
  const text = fit(parts, width);
  const room = Math.min(MAX_BAR, width - text.length - 2);
  if (room < MIN_BAR) return text;
  const full = total === 0 ? room : Math.round((settled / total) * room);
  return `${paint('cyan', '█'.repeat(full))}${paint('dim', '░'.repeat(room - full))}  ${text}`;
}

function speedParts(status: StatusDocument, { seconds, sinceStatus }: { seconds: number; sinceStatus: number }) {
  const { filesPerSecond, bytesPerSecond } = speedOf(status);
  const parts = [byteSize(status.bytes), duration(seconds)];
  if (filesPerSecond > 0) parts.unshift(rateText(filesPerSecond), `${byteSize(bytesPerSecond)}/s`);
  const left = secondsLeft(status);
  if (left !== undefined) parts.push(`about ${duration(Math.max(0, left - sinceStatus))} left`);
  if (status.state === 'running' && status.pending === status.total) parts.push('counts come every 5 s');
  if (status.retrying > 0) parts.push(`${count(status.retrying)} under way`);
  return parts;
}

/** Over the last minute; at the beginning over all. */
export function speedOf({ rate, averageRate }: StatusDocument): StatusDocument['rate'] {
  return rate.filesPerSecond > 0 ? rate : averageRate;
}

export function secondsLeft(status: StatusDocument): number | undefined {
  if (status.state !== 'running' || status.pending === 0) return undefined;
  const { filesPerSecond } = speedOf(status);
  return status.etaSeconds ?? (filesPerSecond > 0 ? Math.ceil(status.pending / filesPerSecond) : undefined);
}

export function rateText(filesPerSecond: number): string {
  return `${threeDigits(filesPerSecond)} files/s`;
}

/** `NOT_FOUND 12`, the most frequent first. */
export function failureParts({ failures }: Pick<StatusDocument, 'failures'>, shown = SHOWN_CODES): string[] {
  const codes = Object.entries(failures).sort(([, a], [, b]) => b - a);
  const parts = codes.slice(0, shown).map(([code, n]) => `${code} ${count(n)}`);
  return codes.length > shown ? [...parts, `${codes.length - shown} more kinds`] : parts;
}

/** A batch's progress in one line of any length, for logs. */
export function progressText(status: StatusDocument): string {
  const { total, pending, state } = status;
  if (state === 'planning') return `reading the list: ${counted(status.linesPlanned ?? 0, 'line')}`;
  const { filesPerSecond, bytesPerSecond } = speedOf(status);
  const settled = total - pending;
  const parts = [
    `${count(settled)} of ${counted(total, 'file')} (${percent(settled, total)} %)`,
    rateText(filesPerSecond),
    `${byteSize(bytesPerSecond)}/s`,
  ];
  const left = secondsLeft(status);
  if (left !== undefined) parts.push(`about ${duration(left)} left`);
  const codes = failureParts(status);
  if (codes.length > 0) parts.push(`failed: ${codes.join(', ')}`);
  return parts.join(', ');
}

/** How a batch ended, or how far it came, in one sentence. */
export function summaryText(status: StatusDocument, seconds: number): string {
  const { done, skipped, failed, cancelled, pending, bytes } = status;
  const parts = [`${counted(done, 'file')} stored (${byteSize(bytes)})`];
  if (skipped > 0) parts.push(`${count(skipped)} ${skipped === 1 ? 'was' : 'were'} there`);
  if (failed > 0) parts.push(`${count(failed)} failed (${failureParts(status).join(', ')})`);
  if (cancelled > 0) parts.push(`${count(cancelled)} cancelled`);
  if (pending > 0) parts.push(`${count(pending)} to go`);
  return `${parts.join(', ')}, in ${duration(seconds)}.`;
}

/** Parts side by side, as many as there is room for; the first is cut if need be. */
export function fit(parts: readonly string[], width: number): string {
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : `${line}  ${part}`;
    if (longer.length > width) break;
    line = longer;
  }
  const first = parts[0] ?? '';
  return line === '' && first !== '' ? `${first.slice(0, Math.max(0, width - 1))}…` : line;
}

/** What a batch is, in one line, as its following begins. */
export function startText(status: StatusDocument, title: (status: StatusDocument) => string): string {
  const { state, total, duplicates, pending } = status;
  if (state === 'planning') return `${title(status)}: reading the list`;
  const settled = pending < total ? `, ${count(total - pending)} of them settled already` : '';
  const doubles = duplicates > 0 ? `, ${counted(duplicates, 'duplicate')} left out` : '';
  return `${title(status)}: ${counted(total, 'file')}${settled}${doubles}`;
}

/** What became of an entry. A URL's query may be a secret, and logs are kept. */
export function outcomeText({ url, key, code, message, state }: FileDocument): string {
  const source = redactUrl(url);
  if (state === 'failed') return `${source} ${code ?? ''}${message === undefined ? '' : `: ${message}`}`;
  return `${source} ${state === 'done' ? 'as' : 'was there as'} ${key}`;
}
