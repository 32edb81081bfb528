import { App } from 'aws-cdk-lib';
import type { DownburstProps } from '../../infra/downburst.ts';
import { DownburstStack } from '../../infra/stack.ts';

/** A value of a template that is known only when it is deployed. */
export type Token = { Ref: string } | { 'Fn::GetAtt': [string, string] } | { 'Fn::Join': [string, Value[]] };
export type Value = string | Token;

export interface Resource<Properties = object> {
  Type: string;
  Properties: Properties;
  DeletionPolicy?: string;
  Metadata?: Record<string, string>;
}

export interface Template {
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Value: Value }>;
}

/** The stack's template. The functions' code is not built. */
export function synthesise(props: DownburstProps = {}): Template {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const stack = new DownburstStack(app, 'Downburst', props);
  return app.synth().getStackArtifact(stack.artifactId).template as Template;
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
  LoggingConfig: { LogGroup: Value };
  Role: Value;
  Runtime: string;
  Architectures: string[];
  /** Seconds. */
  Timeout: number;
  MemorySize: number;
  RecursiveLoop?: string;
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
  Condition?: { StringLikeIfExists?: Record<string, string> };
}

/** Something that a function may do: an action, and on what, with `*` for anything. */
export interface Permission {
  action: string;
  resource: string;
  condition?: Statement['Condition'];
}

/** What a function's role allows, in all the ways in which a role can be given something. */
export function permissionsOf(template: Template, name: string): Permission[] {
  const role = functionsOf(template).get(name)?.Properties.Role;
  const roleId = role === undefined ? '' : textOf(role).replace(/\.Arn$/, '');
  const { Policies = [], ManagedPolicyArns = [] } = (template.Resources[roleId] as Resource<RoleProperties>).Properties;
  if (ManagedPolicyArns.length > 0) throw new Error(`${name} has a policy that stands elsewhere.`);
  const attached = [...resourcesOf<PolicyProperties>(template, 'AWS::IAM::Policy').values()].filter(({ Properties }) =>
    Properties.Roles.some((value) => textOf(value) === roleId),
  );
  return [...Policies, ...attached.map(({ Properties }) => Properties)].flatMap(permissions);
}

interface PolicyProperties {
  PolicyDocument: { Statement: Statement[] };
  Roles: Value[];
}

interface RoleProperties {
  Policies?: Pick<PolicyProperties, 'PolicyDocument'>[];
  ManagedPolicyArns?: Value[];
}

function permissions({ PolicyDocument }: Pick<PolicyProperties, 'PolicyDocument'>): Permission[] {
  return PolicyDocument.Statement.flatMap((statement) => {
    if (statement.Effect !== 'Allow') throw new Error('A denial is not expected here.');
    const condition = statement.Condition && { condition: statement.Condition };
    return [statement.Action]
      .flat()
      .flatMap((action) =>
        [statement.Resource].flat().map((value) => ({ action, resource: textOf(value), ...condition })),
      );
  });
}
