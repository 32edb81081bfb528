import { expect } from 'vitest';
import type { AwsConfig } from '../../adapters/aws/config.ts';
import type { Aws } from '../helpers/aws.ts';
import { needsOf, type Need } from './needs.ts';
import { startRecorder } from './recorder.ts';
import { permissionsOf, type Template } from './synth.ts';

/**
 * What is in the state bucket, from the narrow to the wide: the parts that a grant may name. An action needs the
 * narrowest part that all its keys of one folder are in.
 */
const STATE_AREAS = ['batches/*/waiting/*', 'batches/*', 'secrets/*', 'lists/*'];

/** What Lambda does itself in a function's name: it writes the log, and looks after the queue that it polls. */
const BY_LAMBDA = [/^\w+ logs:(CreateLogStream|PutLogEvents) \w+Log$/, /^worker sqs:GetQueueAttributes Tickets$/];

/**
 * The environment of one function, in which all that it asks of the emulators is noted: nothing there is authorised,
 * so that what AWS would refuse has to be found by comparing.
 */
export async function watched(aws: Aws): Promise<{ env: Record<string, string>; needs: Need[] }> {
  const needs: Need[] = [];
  const env = { ...aws.env };
  const recorders = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) {
    if (!value.startsWith('http://')) continue;
    const { origin } = new URL(value);
    const recorder = recorders.get(origin) ?? (await startRecorder(origin, (call) => needs.push(...needsOf(call))));
    recorders.set(origin, recorder);
    env[name] = value.replace(origin, recorder);
  }
  return { env, needs };
}

/** Expects that a function is allowed all that it has asked for. */
export function expectGranted(template: Template, name: string, needs: readonly Need[], { config }: Aws): void {
  const granted = grantsOf(template, name);
  const asked = needs.map((need) => asGrant(need, config));
  expect(asked.filter((need) => !granted.some((grant) => isLike(need, grant)))).toEqual([]);
}

/**
 * Expects that a function is allowed all that it has asked for and nothing else: what is granted is, action by action and
 * prefix by prefix, the narrowest that holds what was asked for.
 */
export function expectGrantedOnly(template: Template, name: string, needs: readonly Need[], config: AwsConfig): void {
  const folders = Map.groupBy(
    new Set(needs.map((need) => asGrant(need, config))),
    (need) => /^\S+ State\/[^/]+\//.exec(need)?.[0] ?? need.replace(/(?<= Files\/).*/s, ''),
  );
  const narrowest = [...folders.values()].map((asked) => {
    const [action = ''] = asked[0]?.split(' ') ?? [];
    const areas = [...STATE_AREAS.map((area) => `State/${area}`), `Files/${config.filesPrefix}*`];
    const area = areas.find((area) => asked.every((need) => isLike(need, `${action} ${area}`)));
    return area === undefined ? asked : [`${action} ${area}`];
  });
  const granted = grantsOf(template, name).filter((grant) => !BY_LAMBDA.some((own) => own.test(`${name} ${grant}`)));
  expect.soft(granted.sort(), `${name}: what is granted, beside what is asked for`).toEqual(narrowest.flat().sort());
}

/** What a function may do, as `s3:GetObject State/batches/*`; a listing by the prefix that it is limited to. */
function grantsOf(template: Template, name: string): string[] {
  return permissionsOf(template, name).map(({ action, resource, condition }) => {
    const prefix = condition?.StringLikeIfExists?.['s3:prefix'];
    const place = resource
      .replace(/^arn:.*:(event-bus\/)/, '$1')
      .replace(/^Downburst(\w+)[0-9A-F]{8}(\.Arn)?/, (_, id: string) => id);
    return `${action} ${prefix === undefined ? place : `${place}/${prefix}`}`;
  });
}

/** What would have to be granted for one call, written in the same way. */
function asGrant({ action, resource, prefix }: Need, config: AwsConfig): string {
  const names: Record<string, string> = {
    [config.table]: 'Ledger',
    [config.stateBucket]: 'State',
    [config.filesBucket]: 'Files',
    [config.plannerFunction]: 'Planner',
    [config.queueUrl.split('/').at(-1) ?? '']: 'Tickets',
  };
  const [first = '', ...rest] = resource.split('/');
  const place = [names[first] ?? first, ...rest].join('/');
  return `${action} ${prefix === undefined ? place : `${place}/${prefix}`}`;
}

/** As IAM compares: `*` stands for any characters. */
function isLike(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^\w]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
