import type { App } from 'aws-cdk-lib';
import { SettingsError, type DownburstStackProps } from './settings.ts';

/** What the settings of a stack begin with in the context, as `downburst:maxConcurrency`. */
const PREFIX = 'downburst:';
/** With the rest of a stack's name: letters, digits and hyphens (CloudFormation). */
const STAGE = /^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/;

/** What the stack is called: by its stage, as `-c stage=test` gives one. Errors: `SettingsError`. */
export function stackName({ node }: App): string {
  const stage: unknown = node.tryGetContext('stage');
  if (stage === undefined) return 'Downburst';
  if (typeof stage === 'string' && STAGE.test(stage)) return `Downburst-${stage}`;
  throw new SettingsError([`stage needs letters, digits and hyphens, not ${JSON.stringify(stage)}.`]);
}

/**
 * A stack's settings as they stand in the context: in `cdk.json`, or behind `-c`, which gives texts only; there what is
 * JSON is taken for that. They are checked by the stack.
 */
export function settingsInContext({ node }: App): DownburstStackProps {
  const context = Object.entries(node.getAllContext() as Record<string, unknown>);
  return Object.fromEntries(
    context.filter(([key]) => key.startsWith(PREFIX)).map(([key, value]) => [key.slice(PREFIX.length), read(value)]),
  );
}

function read(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
