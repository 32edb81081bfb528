import { Annotations, Fn, Stack } from 'aws-cdk-lib';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { NodejsFunctionProps } from 'aws-cdk-lib/aws-lambda-nodejs';
import type { Construct } from 'constructs';
import { acceptWildcards } from './findings.ts';
import type { Settings } from './settings.ts';

/** What Lambda does to put a function into a VPC. */
const INTERFACE_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

export type Network = Pick<NodejsFunctionProps, 'vpc' | 'vpcSubnets' | 'securityGroups'>;

/** Where the workers' connections come from; `undefined` outside a VPC. Warns of what will be paid for, or leads nowhere. */
export function networkOf(scope: Construct, settings: Settings): Network | undefined {
  const { vpc, vpcSubnets, securityGroups, allowedNetworks } = settings;
  if (!vpc) {
    if (allowedNetworks.length > 0) {
      Annotations.of(scope).addWarningV2(
        'downburst:networks-out-of-reach',
        'allowedNetworks are allowed, but workers outside a VPC have no way into private networks. Give vpc, too.',
      );
    }
    return undefined;
  }
  Annotations.of(scope).addWarningV2(
    'downburst:nat-bills-by-the-gigabyte',
    'Everything that workers in a VPC download from the internet goes through its NAT gateway, which bills each ' +
      'gigabyte. See to it that what they store does not: the VPC needs gateway endpoints for S3 and DynamoDB, ' +
      'which cost nothing.',
  );
  const groups = securityGroups?.map((group, at) =>
    typeof group === 'string' ? SecurityGroup.fromSecurityGroupId(scope, `SecurityGroup${at}`, group) : group,
  );
  return {
    vpc: 'subnetIds' in vpc ? vpcOf(scope, vpc) : vpc,
    ...(vpcSubnets && { vpcSubnets }),
    ...(groups && { securityGroups: groups }),
  };
}

function vpcOf(scope: Construct, { vpcId, subnetIds }: { vpcId: string; subnetIds: string[] }) {
  const vpc = Vpc.fromVpcAttributes(scope, 'Vpc', {
    vpcId,
    // Asked for, and of no use to functions.
    availabilityZones: subnetIds.map((_, at) => Fn.select(at, Fn.getAzs())),
    privateSubnetIds: subnetIds,
  });
  Annotations.of(vpc).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId', 'Nobody here asks for route tables.');
  return vpc;
}

/** Lets Lambda put a function into a VPC, by the function's role; the function itself may not do the same. */
export function allowNetworkInterfaces(worker: IFunction): void {
  const { partition, region, account } = Stack.of(worker);
  worker.addToRolePolicy(new PolicyStatement({ actions: INTERFACE_ACTIONS, resources: ['*'] }));
  worker.addToRolePolicy(
    new PolicyStatement({
      effect: Effect.DENY,
      actions: INTERFACE_ACTIONS,
      resources: ['*'],
      // By a pattern: the function waits for this policy, and cannot be named in it.
      conditions: {
        ArnLike: { 'lambda:SourceFunctionArn': `arn:${partition}:lambda:${region}:${account}:function:*` },
      },
    }),
  );
  if (worker.role) acceptWildcards(worker.role, ['*'], 'Lambda needs these before there is an interface to name.');
}
