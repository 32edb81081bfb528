import { expect } from 'vitest';
import type { Aws } from '../helpers/aws.ts';
import { startRecorder, type Need } from './recorder.ts';
import { permissionsOf, type Permission, type Template } from './synth.ts';

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
    const recorder = recorders.get(origin) ?? (await startRecorder(origin, (need) => needs.push(need)));
    recorders.set(origin, recorder);
    env[name] = value.replace(origin, recorder);
  }
  return { env, needs };
}

/** Expects that a function is allowed all that it has asked for. */
export function expectGranted(template: Template, name: string, needs: readonly Need[], { config }: Aws): void {
  const names: Record<string, string> = {
    Ledger: config.table,
    State: config.stateBucket,
    Files: config.filesBucket,
    Planner: config.plannerFunction,
    Tickets: config.queueUrl.split('/').at(-1) ?? '',
  };
  const granted = permissionsOf(template, name).map((permission) => ({
    ...permission,
    resource: permission.resource
      .replace(/^arn:.*:(event-bus\/)/, '$1')
      .replace(/^Downburst(\w+)[0-9A-F]{8}\.Arn/, (_, id: string) => names[id] ?? id),
  }));
  const refused = needs.filter((need) => !granted.some((permission) => allows(permission, need)));
  expect(refused).toEqual([]);
}

function allows({ action, resource, condition }: Permission, need: Need): boolean {
  const prefix = condition?.StringLikeIfExists?.['s3:prefix'];
  return action === need.action && isLike(need.resource, resource) && isLike(need.prefix ?? '', prefix ?? '');
}

/** As IAM compares: `*` stands for any characters. */
function isLike(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^\w]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
