import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Says why a rule of cdk-nag's AwsSolutions pack does not hold for a construct and what is in it. */
export function accept(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/** The same for `*` in the resources that a policy of a role names; any others are left alone. */
export function acceptWildcards(construct: IConstruct, resources: readonly string[], reason: string): void {
  for (const resource of resources) {
    const name = nameOf(Stack.of(construct).resolve(resource) as Value);
    if (name.includes('*')) accept(construct, `IAM5[Resource::${name}]`, reason);
  }
}

type Value = string | { Ref: string } | { 'Fn::GetAtt': [string, string] } | { 'Fn::Join': [string, Value[]] };

/** A resource as cdk-nag writes it in the names of its findings. */
function nameOf(value: Value): string {
  if (typeof value === 'string') return value;
  if ('Ref' in value) return `<${value.Ref}>`;
  if ('Fn::GetAtt' in value) return `<${value['Fn::GetAtt'].join('.')}>`;
  const [separator, parts] = value['Fn::Join'];
  return parts.map(nameOf).join(separator);
}
