import { invalidRequest } from './problem.ts';

/** A query as an object. Errors: `Problem` for a parameter that is given twice. */
export function readQuery(url: string): Record<string, string> {
  const parameters = [...new URL(url).searchParams];
  const seen = new Set<string>();
  for (const [name] of parameters) {
    if (seen.has(name)) throw invalidRequest([{ field: name, reason: 'given more than once' }]);
    seen.add(name);
  }
  return Object.fromEntries(parameters);
}

const TEXT_OPTIONS = ['name', 'format', 'prefix', 'keyTemplate', 'ifExists', 'invalidEntries', 'userAgent'];
const LIST_OPTIONS = ['contentTypes'];
const GROUPS = ['timeouts', 'lowSpeed'] as const;
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * The name and options of a submission from its query: every option goes by its own name, those in groups as
 * `timeouts.idleMs`, lists with commas. Says nothing about whether the options exist or fit.
 */
export function readOptionsQuery(url: string): Record<string, unknown> {
  const parameters = readQuery(url);
  if (Object.keys(parameters).some((key) => /^headers(\.|$)/.test(key))) {
    // URLs end up in logs and histories.
    throw invalidRequest([{ field: 'headers', reason: 'request headers are taken in a JSON body only' }]);
  }
  const options: [string, unknown][] = [];
  const groups = { timeouts: [] as [string, unknown][], lowSpeed: [] as [string, unknown][] };
  for (const [key, text] of Object.entries(parameters)) {
    const group = GROUPS.find((group) => key.startsWith(`${group}.`));
    if (LIST_OPTIONS.includes(key)) {
      options.push([key, text.split(',').map((item) => item.trim())]);
      continue;
    }
    const value = !TEXT_OPTIONS.includes(key) && JSON_NUMBER.test(text) ? Number(text) : text;
    if (group) groups[group].push([key.slice(group.length + 1), value]);
    else options.push([key, value]);
  }
  for (const group of GROUPS) {
    if (groups[group].length > 0) options.push([group, Object.fromEntries(groups[group])]);
  }
  return Object.fromEntries(options);
}
