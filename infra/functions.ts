import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, LoggingFormat, RecursiveLoop, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat, type NodejsFunctionProps } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { NODE_OPTIONS, WORKER_NODE_OPTIONS } from '../adapters/aws/settings.ts';
import { WORKER_MB } from '../core/model/limits.ts';
import { acceptWildcards } from './findings.ts';
import type { Settings } from './settings.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Memory for what mostly waits, in MB: a thousand records of 1 KB, and a third of a vCPU. */
const LIGHT_MB = 512;

/** Memory for a list of ten million entries (bench/submit.ts), in MB: the most that a new account may have. */
const PLANNER_MB = 3008;

/** The longest there is: a file that is under way when the turn's budget is spent can still be finished. */
export const WORKER_TIME_LIMIT = Duration.minutes(15);

/** What each function takes, and why. */
const FUNCTIONS = {
  api: {
    description: 'Begins and ends batches',
    // Planning a list is all CPU.
    memorySize: WORKER_MB,
    // The caller is answered within 30 s or not at all; what was begun by then is still brought to its end.
    timeout: Duration.minutes(2),
  },
  status: {
    description: 'Answers how batches are doing',
    memorySize: LIGHT_MB,
    // API Gateway waits no longer.
    timeout: Duration.seconds(30),
  },
  planner: {
    description: 'Plans uploaded lists',
    memorySize: PLANNER_MB,
    // The longest there is; a planner that gave no sign of life for as long is taken for dead.
    timeout: Duration.minutes(15),
  },
  worker: {
    description: 'Takes turns at shards',
    timeout: WORKER_TIME_LIMIT,
    // Shards that waited for the others wake each other one after the other, each by a ticket: a chain of as many
    // hops as a batch has shards, and no longer. Lambda would take it for a loop after 16.
    recursiveLoop: RecursiveLoop.ALLOW,
    // Look-ups block a thread each: with Node's four a few dead name servers would hold up all 64 downloads.
    environment: { UV_THREADPOOL_SIZE: '64', NODE_OPTIONS: WORKER_NODE_OPTIONS },
  },
  sweeper: {
    description: 'Looks after open batches',
    memorySize: LIGHT_MB,
    // The longest there is: it repeats what others did not finish, from the start. Sweeps may overlap.
    timeout: Duration.minutes(15),
    // The next one comes in a minute.
    retryAttempts: 0,
  },
} satisfies Record<string, NodejsFunctionProps>;

export type FunctionName = keyof typeof FUNCTIONS;

export interface FunctionOptions {
  environment: Record<string, string>;
  settings: Pick<Settings, 'logRetentionDays' | 'tracing'>;
  /** What one function has that the others have not. */
  own?: Pick<NodejsFunctionProps, 'memorySize' | 'vpc' | 'vpcSubnets' | 'securityGroups'>;
}

/** A function with a role and a log of its own. It may write its log, and traces if it has any, and nothing else. */
export function createFunction(scope: Construct, name: FunctionName, options: FunctionOptions): NodejsFunction {
  const { environment, settings, own } = options;
  const props: NodejsFunctionProps = FUNCTIONS[name];
  const id = name.charAt(0).toUpperCase() + name.slice(1);
  const logGroup = new LogGroup(scope, `${id}Log`, {
    retention: settings.logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);

  if (settings.tracing) acceptWildcards(role, ['*'], 'X-Ray knows no resources of its own.');

  return new NodejsFunction(scope, id, {
    ...props,
    ...own,
    entry: join(ROOT, 'lambdas', `${name}.ts`),
    // Wherever the CDK app is that this is a part of.
    projectRoot: ROOT,
    depsLockFilePath: join(ROOT, 'package-lock.json'),
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    environment: { ...environment, NODE_OPTIONS, ...props.environment },
    role,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    tracing: settings.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
    bundling: {
      format: OutputFormat.ESM,
      mainFields: ['module', 'main'],
      bundleAwsSDK: true,
      minify: true,
      sourceMap: true,
      sourcesContent: false,
    },
  });
}
