import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { OPTION_RANGES, type PublicOptions } from '../core/model/options.ts';
import { UsageError } from './exit.ts';
import { bytes, collect, realNumber, seconds, wholeNumber } from './values.ts';

/** The options of a batch (docs/api.md) as flags, by the names that curl, wget and aria2 gave them. */

/** What a user asks for besides the list. */
export interface BatchWishes {
  options: Partial<PublicOptions>;
  /** Request headers of all entries. */
  headers: Record<string, string>;
}

interface BatchFlag {
  flags: string;
  description: string;
  /** Where the API has it, groups with a dot: `timeouts.connectMs`. */
  option: string;
  parse?: (text: string) => unknown;
  choices?: readonly string[];
  /** Given more than once, or with commas. */
  list?: true;
}

const RANGES = OPTION_RANGES;

const BATCH_FLAGS: readonly BatchFlag[] = [
  {
    flags: '-j, --connections-per-host <n>',
    description: 'requests that may be open to one host at once (default: 16)',
    option: 'connectionsPerHost',
    parse: wholeNumber('--connections-per-host', RANGES.connectionsPerHost),
  },
  {
    flags: '--connections-per-file <n>',
    description: 'of these, how many one large file may have (default: 16)',
    option: 'connectionsPerFile',
    parse: wholeNumber('--connections-per-file', RANGES.connectionsPerFile),
  },
  {
    flags: '--rate <n>',
    description: 'requests begun per second and host, as 2 or 0.5',
    option: 'requestsPerSecondPerHost',
    parse: realNumber('--rate', RANGES.requestsPerSecondPerHost),
  },
  {
    flags: '--retry <n>',
    description: 'how often a failed request is made again (default: 5)',
    option: 'maxAttempts',
    parse: (text) =>
      1 + wholeNumber('--retry', { min: RANGES.maxAttempts.min - 1, max: RANGES.maxAttempts.max - 1 })(text),
  },
  {
    flags: '--max-redirs <n>',
    description: 'redirects that are followed (default: 10)',
    option: 'maxRedirects',
    parse: wholeNumber('--max-redirs', RANGES.maxRedirects),
  },
  { flags: '-U, --user-agent <text>', description: 'the request header User-Agent', option: 'userAgent' },
  {
    flags: '--if-exists <what>',
    description:
      'for a file that is there: skip it, overwrite it, or refresh it if its source has changed (default: skip)',
    option: 'ifExists',
    choices: ['skip', 'overwrite', 'refresh'],
  },
  {
    flags: '--accept-type <type>',
    description: 'store only files of these media types, as image/*; may be repeated',
    option: 'contentTypes',
    list: true,
  },
  {
    flags: '--key-template <text>',
    description: 'name files by {host} {path} {name} {stem} {ext} {index} {hash}',
    option: 'keyTemplate',
  },
  {
    flags: '--prefix <folders/>',
    description: 'put before the name of every file',
    option: 'prefix',
  },
  {
    flags: '--max-filesize <bytes>',
    description: 'the largest file that is stored, as 500M (default: 50G)',
    option: 'maxBytes',
    parse: bytes('--max-filesize', RANGES.maxBytes),
  },
  {
    flags: '-Q, --quota <bytes>',
    description: 'pause once all files together have more, as 20G',
    option: 'maxTotalBytes',
    parse: bytes('--quota', RANGES.maxTotalBytes),
  },
  {
    flags: '--connect-timeout <seconds>',
    description: 'for looking up the name, TCP and TLS together (default: 10)',
    option: 'timeouts.connectMs',
    parse: seconds('--connect-timeout', RANGES.connectMs),
  },
  {
    flags: '--header-timeout <seconds>',
    description: "until the answer's headers are there (default: 30)",
    option: 'timeouts.headersMs',
    parse: seconds('--header-timeout', RANGES.headersMs),
  },
  {
    flags: '--read-timeout <seconds>',
    description: 'without a byte of the body (default: 30)',
    option: 'timeouts.idleMs',
    parse: seconds('--read-timeout', RANGES.idleMs),
  },
  {
    flags: '-Y, --speed-limit <bytes>',
    description: 'slower than this per second … (default: 1k)',
    option: 'lowSpeed.bytesPerSecond',
    parse: bytes('--speed-limit', RANGES.lowSpeedBytesPerSecond),
  },
  {
    flags: '-y, --speed-time <seconds>',
    description: '… for so long is given up and tried again (default: 60)',
    option: 'lowSpeed.seconds',
    parse: wholeNumber('--speed-time', RANGES.lowSpeedSeconds),
  },
  {
    flags: '--deadline <seconds>',
    description: 'what is left then fails (default: 604800, a week)',
    option: 'deadlineSeconds',
    parse: wholeNumber('--deadline', RANGES.deadlineSeconds),
  },
];

/** An option of the API by the flag that sets it, for messages; another field by its own name. */
export function flagOf(field: string): string {
  const option = field.replace(/^options\./, '');
  if (option === 'headers') return '--header';
  if (option.startsWith('headers.')) return `--header ${option.slice('headers.'.length)}`;
  if (option === 'format') return '--input-format';
  const flag = BATCH_FLAGS.find((flag) => option === flag.option || option.startsWith(`${flag.option}.`));
  return flag ? (new Option(flag.flags).long ?? field) : field;
}

/** Adds the flags of every command that starts a batch. */
export function addBatchOptions(command: Command): Command {
  for (const { flags, description, choices, parse, list } of BATCH_FLAGS) {
    const option = new Option(flags, description).helpGroup('Downloads:');
    if (choices) option.choices(choices);
    if (parse) option.argParser(parse);
    if (list) option.argParser((text, before: string[] | undefined) => [...(before ?? []), ...text.split(',')]);
    command.addOption(option);
  }
  return command
    .addOption(
      new Option('-H, --header <line>', "a request header, 'Name: value', or @FILE with one a line; may be repeated")
        .argParser(collect(String))
        .helpGroup('Downloads:'),
    )
    .addOption(
      new Option('--skip-invalid', 'let entries that cannot be used fail, and the others go on').helpGroup(
        'Downloads:',
      ),
    );
}

/** What the flags of a command ask for. Errors: `UsageError`. */
export function batchWishes(command: Command): BatchWishes {
  const values = command.opts<Record<string, unknown>>();
  const options: Record<string, unknown> = {};
  for (const { flags, option } of BATCH_FLAGS) {
    const value = values[new Option(flags).attributeName()];
    if (value === undefined) continue;
    const [group = '', field] = option.split('.');
    options[group] = field === undefined ? value : { ...(options[group] as object | undefined), [field]: value };
  }
  if (values.skipInvalid === true) options.invalidEntries = 'fail';
  return { options, headers: readHeaders((values.header as string[] | undefined) ?? []) };
}

/** Request headers as curl takes them. Errors: `UsageError`, which does not repeat them. */
export function readHeaders(given: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of given.flatMap((text) => (text.startsWith('@') ? linesOf(text.slice(1)) : [text]))) {
    const [, name, value] = /^\s*([^:\s]+):\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new UsageError("--header needs a line like 'Accept: image/png', or @FILE with such lines.");
    }
    headers[name] = value;
  }
  return headers;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '');
  } catch (error) {
    throw new UsageError(`--header cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
