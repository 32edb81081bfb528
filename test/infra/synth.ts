import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Validations, type Stack } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { DownburstStackProps } from '../../infra/settings.ts';
import { DownburstStack } from '../../infra/stack.ts';

/** A value of a template that is known only when it is deployed. */
export type Token = { Ref: string } | { 'Fn::GetAtt': [string, string] } | { 'Fn::Join': [string, Value[]] };
export type Value = string | Token;

export interface Resource<Properties = object> {
  Type: string;
  Properties: Properties;
  DeletionPolicy?: string;
  DependsOn?: string[];
  Metadata?: Record<string, string>;
}

export interface Template {
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Value: Value } | undefined>;
}

const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')) as {
  context: Record<string, unknown>;
};

export interface Synthesised {
  template: Template;
  /** What is said at synth. */
  warnings: string[];
  terminationProtection: boolean;
}

/** Makes stacks as `npm run synth` does, with all of its checks, but does not build the functions' code. */
export function synthesiseAll<Name extends string>(make: (app: App) => Record<Name, Stack>): Record<Name, Synthesised> {
  return assemble((app) => {
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    return make(app);
  });
}

/** A stack's template, unchecked: checks take longest, and these templates have passed them elsewhere. */
export function synthesise(props: DownburstStackProps = {}): Template {
  // As `cdk synth --no-validation` has it.
  process.env.CDK_VALIDATION = 'false';
  try {
    return assemble((app) => ({ only: new DownburstStack(app, 'Downburst', props) })).only.template;
  } finally {
    delete process.env.CDK_VALIDATION;
  }
}

function assemble<Name extends string>(make: (app: App) => Record<Name, Stack>): Record<Name, Synthesised> {
  const outdir = mkdtempSync(join(tmpdir(), 'downburst-synth-'));
  try {
    const app = new App({ outdir, context: { ...context, 'aws:cdk:bundling-stacks': [] } });
    const stacks = Object.entries<Stack>(make(app));
    const assembly = app.synth();
    const made = stacks.map(([name, stack]): [string, Synthesised] => {
      const artifact = assembly.getStackArtifact(stack.artifactId);
      const warnings = artifact.messages.flatMap(({ entry }) =>
        entry.type === 'aws:cdk:warning' && typeof entry.data === 'string' ? entry.data : [],
      );
      const terminationProtection = artifact.terminationProtection === true;
      return [name, { template: artifact.template as Template, warnings, terminationProtection }];
    });
    return Object.fromEntries(made) as Record<Name, Synthesised>;
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

/** All resources of a type, by their logical ids. */
export function resourcesOf<Properties>(template: Template, type: string): Map<string, Resource<Properties>> {
  const found = Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
  return new Map(found) as Map<string, Resource<Properties>>;
}

/** A value as text: references stand as the logical ids of what they name. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if ('Ref' in value) return value.Ref;
  if ('Fn::GetAtt' in value) return value['Fn::GetAtt'].join('.');
  const [separator, parts] = value['Fn::Join'];
  return parts.map(textOf).join(separator);
}

export interface FunctionProperties {
  Environment: { Variables: Record<string, Value> };
  Handler: string;
  LoggingConfig: { LogGroup: Value };
  Role: Value;
  Runtime: string;
  Architectures: string[];
  /** Seconds. */
  Timeout: number;
  MemorySize: number;
  RecursiveLoop?: string;
  TracingConfig?: { Mode: string };
  VpcConfig?: { SubnetIds: Value[]; SecurityGroupIds: Value[] };
}

/** The functions by the names of their files in lambdas/. */
export function functionsOf(template: Template): Map<string, Resource<FunctionProperties>> {
  const all = resourcesOf<FunctionProperties>(template, 'AWS::Lambda::Function');
  return new Map([...all].map(([id, resource]) => [nameOf(id), resource]));
}

/** `DownburstApi70455DDE` → `api`. */
function nameOf(id: string): string {
  return /^Downburst([A-Z][a-z]+)[0-9A-F]{8}$/.exec(id)?.[1]?.toLowerCase() ?? id;
}

export interface Statement {
  Effect: 'Allow' | 'Deny';
  Action: string | string[];
  Resource: Value | Value[];
  Condition?: { StringLikeIfExists?: Record<string, string>; ArnLike?: Record<string, Value> };
}

/** Something that a function may do: an action, and on what, with `*` for anything. */
export interface Permission {
  action: string;
  resource: string;
  condition?: Statement['Condition'];
}

/** What a function's role says, in all the ways in which a role can be given something. */
export function statementsOf(template: Template, name: string): Statement[] {
  const role = functionsOf(template).get(name)?.Properties.Role;
  const roleId = role === undefined ? '' : textOf(role).replace(/\.Arn$/, '');
  const { Policies = [], ManagedPolicyArns = [] } = (template.Resources[roleId] as Resource<RoleProperties>).Properties;
  if (ManagedPolicyArns.length > 0) throw new Error(`${name} has a policy that stands elsewhere.`);
  const attached = [...resourcesOf<PolicyProperties>(template, 'AWS::IAM::Policy').values()].filter(({ Properties }) =>
    Properties.Roles.some((value) => textOf(value) === roleId),
  );
  const policies = [...Policies, ...attached.map(({ Properties }) => Properties)];
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}

/** What a function's role allows. */
export function permissionsOf(template: Template, name: string): Permission[] {
  return statementsOf(template, name).flatMap((statement) => {
    if (statement.Effect !== 'Allow') throw new Error('A denial is not expected here.');
    const condition = statement.Condition && { condition: statement.Condition };
    return [statement.Action]
      .flat()
      .flatMap((action) =>
        [statement.Resource].flat().map((value) => ({ action, resource: textOf(value), ...condition })),
      );
  });
}

interface PolicyProperties {
  PolicyDocument: { Statement: Statement[] };
  Roles: Value[];
}

interface RoleProperties {
  Policies?: Pick<PolicyProperties, 'PolicyDocument'>[];
  ManagedPolicyArns?: Value[];
}
