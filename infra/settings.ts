import { RemovalPolicy } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import * as z from 'zod';
import {
  CONCURRENCY_RANGE,
  DEFAULT_CONCURRENCY,
  networkProblem,
  OPEN_BATCHES_RANGE,
  prefixProblem,
  WORKER_MEMORY_MB_RANGE,
} from '../adapters/aws/settings.ts';
import { DEFAULT_MAX_OPEN_BATCHES, WORKER_MB } from '../core/model/limits.ts';
import { OPTION_RANGES } from '../core/model/options.ts';
import { checked, constructOr, listOf, needed, shown, text, wholeNumber } from './setting-kinds.ts';

/** What is needed of a bucket that may be the user's own. */
export type FilesBucket = Pick<IBucket, 'bucketName' | 'bucketArn' | 'arnForObjects' | 'encryptionKey' | 'node'>;

/** The longest that a batch can take. */
export const LONGEST_BATCH_DAYS = Math.ceil(OPTION_RANGES.deadlineSeconds.max / (24 * 60 * 60));

/** A day longer than any batch can take, so that nothing of it goes before it has ended; a hundred years are for ever. */
const EXPIRY_DAYS = { min: LONGEST_BATCH_DAYS + 1, max: 36_500 };
const RETENTION_DAYS: readonly unknown[] = Object.values(RetentionDays).filter((days) => typeof days === 'number');

const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Ids of things in EC2, old and new. */
const idOf = (kind: string) => new RegExp(`^${kind}-([0-9a-f]{8}|[0-9a-f]{17})$`);
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

const flag = needed<boolean>('true or false', (value) => typeof value === 'boolean');

const authorisation = z.discriminatedUnion(
  'type',
  [
    /** Requests signed by AWS credentials that may call the API. */
    z.strictObject({ type: z.literal('iam') }),
    /** Bearer tokens of an issuer, for one of the audiences. */
    z.strictObject({
      type: z.literal('jwt'),
      issuer: text('the https URL of an issuer', /^https:\/\/[^\s?#]+$/),
      audience: listOf('audiences, as the issuer writes them into aud or client_id', text('an audience', /./), 1),
    }),
    /** No authorisation. */
    z.strictObject({
      type: z.literal('public'),
      anyoneMayStoreFilesAtMyExpense: needed<true>('true, in so many words', (value) => value === true),
    }),
  ],
  { error: "needs the type 'iam', 'jwt' (with issuer and audience) or 'public'" },
);

const shape = {
  /**
   * Where the files go: a bucket, or its name. Give it a lifecycle rule that ends incomplete uploads after 61 days.
   *
   * @default a bucket is made
   */
  filesBucket: constructOr<FilesBucket>('a bucket, or the name of one', BUCKET_NAME).optional(),
  /**
   * The ARN of the KMS key of a bucket that is given by its name, if S3's own keys do not encrypt it.
   *
   * @default S3's own keys, or those of the bucket that is given
   */
  filesKeyArn: text("a key's ARN", /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/).optional(),
  /**
   * What every key of a file begins with: empty, or whole folders as `a/b/`. It bounds what the functions may do.
   *
   * @default ''
   */
  filesPrefix: checked<string>((value) =>
    typeof value === 'string' ? prefixProblem(value) : `needs folders like 'downloads/', not ${shown(value)}`,
  ).default(''),
  /**
   * Days for which manifests and results are kept, 61 or more: longer than any batch can take.
   *
   * @default 90
   */
  stateExpiryDays: wholeNumber(EXPIRY_DAYS).default(90),
  /**
   * Workers at once, 2 to 1,000; below the account's limit of concurrent executions, which they share.
   *
   * @default 100
   */
  maxConcurrency: wholeNumber(CONCURRENCY_RANGE).default(DEFAULT_CONCURRENCY),
  /**
   * Memory of a worker, in MB, 1,024 to 10,240. With less than 1,769 it has less than one vCPU. The memory for bodies
   * grows and shrinks with it.
   *
   * @default 1769
   */
  workerMemoryMb: wholeNumber(WORKER_MEMORY_MB_RANGE).default(WORKER_MB),
  /**
   * The highest `connectionsPerHost` that a batch may ask for, 1 to 256.
   *
   * @default 256
   */
  maxConnectionsPerHost: wholeNumber(OPTION_RANGES.connectionsPerHost).default(OPTION_RANGES.connectionsPerHost.max),
  /**
   * Batches that may be open at once, 1 to 1,000; more are refused.
   *
   * @default 20
   */
  maxOpenBatches: wholeNumber(OPEN_BATCHES_RANGE).default(DEFAULT_MAX_OPEN_BATCHES),
  /**
   * Networks that may be downloaded from although they are not public, as `10.1.0.0/16`.
   *
   * @default none
   */
  allowedNetworks: listOf(
    'networks like 10.1.0.0/16',
    checked<string>((value) => networkProblem(typeof value === 'string' ? value : shown(value))),
  ).default([]),
  /**
   * Who may call the API: `{ type: 'iam' }`, `{ type: 'jwt', issuer, audience }`, or anyone on the internet by
   * `{ type: 'public', anyoneMayStoreFilesAtMyExpense: true }`.
   *
   * @default IAM
   */
  authorisation: authorisation.default({ type: 'iam' }),
  /**
   * Web pages that may call the API from a browser: `origins` as `https://app.example.com`, or `*` for all.
   *
   * @default none
   */
  cors: z
    .strictObject(
      {
        origins: listOf(
          'origins',
          needed<string>('an origin like https://app.example.com, or *', (value) => value === '*' || isOrigin(value)),
          1,
        ),
      },
      {
        // Unknown names have a message of their own.
        error: ({ code, input }) =>
          code === 'invalid_type' ? `needs an object like { origins: […] }, not ${shown(input)}` : undefined,
      },
    )
    .optional(),
  /**
   * Where alarms are sent: a topic, or its ARN.
   *
   * @default a topic is made
   */
  alarmTopic: constructOr<ITopic>('a topic, or the ARN of one', /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/).optional(),
  /**
   * Who is told of alarms by the topic that is made; the address has to confirm that first.
   *
   * @default nobody
   */
  alarmEmail: text('an e-mail address', EMAIL).optional(),
  /**
   * Days for which logs are kept: one of those that CloudWatch offers.
   *
   * @default 30
   */
  logRetentionDays: needed<RetentionDays>(`one of ${RETENTION_DAYS.join(', ')}`, (value) =>
    RETENTION_DAYS.includes(value),
  ).default(RetentionDays.ONE_MONTH),
  /**
   * What becomes of the table and the buckets made here when they are deleted: RETAIN, or DESTROY with all in them.
   *
   * @default RETAIN
   */
  removalPolicy: needed<RemovalPolicy>("'retain' or 'destroy'", (value) =>
    [RemovalPolicy.RETAIN, RemovalPolicy.DESTROY].includes(value as RemovalPolicy),
  ).default(RemovalPolicy.RETAIN),
  /**
   * The network that the workers, and they alone, are in: a VPC, or the ids of one and of its subnets.
   *
   * @default no VPC: workers reach the internet
   */
  vpc: z
    .union(
      [
        needed<IVpc>('a VPC', (value) => Construct.isConstruct(value)),
        z.strictObject({
          vpcId: text('an id like vpc-0123abcd', idOf('vpc')),
          subnetIds: listOf('ids of subnets', text('an id like subnet-0123abcd', idOf('subnet')), 1),
        }),
      ],
      { error: ({ input }) => `needs a VPC, or { vpcId: 'vpc-…', subnetIds: ['subnet-…'] }, not ${shown(input)}` },
    )
    .optional(),
  /**
   * Which of the subnets of a VPC that is given as a construct.
   *
   * @default those with a way to the internet by NAT
   */
  vpcSubnets: needed<SubnetSelection>('a selection of subnets', (value) => typeof value === 'object').optional(),
  /**
   * Security groups of the workers, or their ids.
   *
   * @default one is made, which lets everything out and nothing in
   */
  securityGroups: listOf(
    'security groups',
    constructOr<ISecurityGroup>('a security group, or the id of one', idOf('sg')),
    1,
  ).optional(),
  /**
   * Traces in X-Ray.
   *
   * @default false
   */
  tracing: flag.default(false),
};

const stackShape = {
  ...shape,
  /**
   * Whether the stack is kept from being deleted until this is undone.
   *
   * @default false
   */
  terminationProtection: flag.default(false),
  /**
   * Tags of everything in the stack.
   *
   * @default none
   */
  tags: z
    .record(z.string(), text('text of at most 256 characters', /^.{0,256}$/), {
      error: ({ input }) => `needs an object like { team: 'media' }, not ${shown(input)}`,
    })
    .default({}),
};

const construct = z.strictObject(shape);
const stack = z.strictObject(stackShape);

/** What the construct `Downburst` can be given. */
export type DownburstProps = z.input<typeof construct>;
/** What the stack around it can be given: the same, and what is of stacks. */
export type DownburstStackProps = z.input<typeof stack>;
/** The construct's settings, all of them, checked. */
export type Settings = z.output<typeof construct>;

/** Settings are wrong, or do not go together. The message names each, and what would be right. */
export class SettingsError extends Error {
  constructor(problems: readonly string[]) {
    super(`Downburst cannot be deployed like this (docs/deploy.md, "Settings"):\n  ${problems.join('\n  ')}`);
    this.name = 'SettingsError';
  }
}

/** Checks what a construct is given and fills in what it is not. Errors: `SettingsError`, with all that is wrong. */
export function readSettings(props: DownburstProps): Settings {
  return read(construct, props);
}

/** The same for a stack. */
export function readStackSettings(props: DownburstStackProps): z.output<typeof stack> {
  return read(stack, props);
}

function read<T extends Settings>(schema: z.ZodType<T>, props: object): T {
  const { success, data, error } = schema.safeParse(props);
  const problems = success ? combinationProblems(data) : error.issues.map(sentence);
  if (!success || problems.length > 0) throw new SettingsError(problems);
  return data;
}

function sentence({ path, message, ...issue }: z.core.$ZodIssue): string {
  const name = path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    return before === '' ? String(part) : `${before}.${String(part)}`;
  }, '');
  if (issue.code !== 'unrecognized_keys') return `${name} ${message}.`;
  const unknown = issue.keys.map((key) => (name === '' ? key : `${name}.${key}`));
  return `${unknown.join(' and ')} ${unknown.length > 1 ? 'are no settings' : 'is no setting'}.`;
}

/** What is wrong with settings that are right, each for itself. */
function combinationProblems(settings: Settings): string[] {
  const { filesBucket, filesKeyArn, alarmTopic, alarmEmail, vpc, vpcSubnets, securityGroups } = settings;
  const problems: string[] = [];
  if (filesKeyArn !== undefined && typeof filesBucket !== 'string') {
    problems.push('filesKeyArn goes with a filesBucket that is given by its name; leave it out.');
  }
  if (alarmTopic !== undefined && alarmEmail !== undefined) {
    problems.push('alarmEmail does not go with alarmTopic; subscribe the address to that topic, and leave it out.');
  }
  if (vpc === undefined && (vpcSubnets ?? securityGroups) !== undefined) {
    problems.push('vpcSubnets and securityGroups are of a VPC; give vpc, too, or leave them out.');
  }
  if (vpcSubnets !== undefined && vpc !== undefined && 'subnetIds' in vpc) {
    problems.push('vpcSubnets does not go with vpc.subnetIds, which says the same; leave one of them out.');
  }
  if (settings.authorisation.type === 'public' && settings.allowedNetworks.length > 0) {
    problems.push(
      'allowedNetworks does not go with public authorisation: anyone could read what is in them; use iam or jwt.',
    );
  }
  return problems;
}

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && /^https?:/.test(value) && URL.parse(value)?.origin === value;
}
