import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../adapters/aws/config.ts';
import { LISTS_PREFIX } from '../../core/model/layout.ts';
import {
  CLAIM_LEASE_MS,
  LIST_KEPT_MS,
  MAX_TICKET_RECEIVES,
  MAX_TICKET_WAIT_MS,
  MAX_WAIT_MS,
  PLANNING_STALE_MS,
  SWEEP_INTERVAL_MS,
  TURN_TAIL_MS,
} from '../../core/model/limits.ts';
import { DEPLOYMENT_DIMENSION, METRICS, METRICS_NAMESPACE } from '../../core/model/metrics.ts';
import { OPTION_RANGES } from '../../core/model/options.ts';
import {
  functionsOf,
  permissionsOf,
  resourcesOf,
  synthesise,
  textOf,
  type Resource,
  type Statement,
  type Value,
} from './synth.ts';

const DAY_SECONDS = 24 * 60 * 60;
const NAMES = ['api', 'planner', 'status', 'sweeper', 'worker'];

const page = await readFile(new URL('../../docs/deploy.md', import.meta.url), 'utf8');
const template = synthesise();
const functions = functionsOf(template);
const seconds = (name: string) => functions.get(name)?.Properties.Timeout ?? NaN;

function only<T>(items: Iterable<T>): T {
  const [first, ...others] = items;
  if (first === undefined || others.length > 0) throw new Error('One is expected.');
  return first;
}

describe('the ticket queue', () => {
  interface QueueProperties {
    VisibilityTimeout?: number;
    MessageRetentionPeriod: number;
    RedrivePolicy?: { deadLetterTargetArn: Value; maxReceiveCount: number };
  }
  const queues = resourcesOf<QueueProperties>(template, 'AWS::SQS::Queue');
  const tickets = only([...queues].filter(([, { Properties }]) => Properties.RedrivePolicy !== undefined));
  const { VisibilityTimeout, RedrivePolicy } = tickets[1].Properties;

  it('hides a ticket for as long as its worker may run', () => {
    expect(VisibilityTimeout).toBeGreaterThanOrEqual(seconds('worker'));
  });

  it('sends a ticket to the dead letters only long after the worker has replaced it', () => {
    expect(RedrivePolicy?.maxReceiveCount).toBe(1000);
    expect(RedrivePolicy?.maxReceiveCount).toBeGreaterThan(MAX_TICKET_RECEIVES);
    const dead = textOf(RedrivePolicy?.deadLetterTargetArn ?? '').replace(/\.Arn$/, '');
    expect(queues.has(dead)).toBe(true);
  });

  it('keeps tickets and dead letters for 14 days', () => {
    expect(queues.size).toBe(2);
    for (const { Properties } of queues.values()) expect(Properties.MessageRetentionPeriod).toBe(14 * DAY_SECONDS);
  });

  interface MappingProperties {
    EventSourceArn: Value;
    BatchSize: number;
    FunctionResponseTypes: string[];
    ScalingConfig: { MaximumConcurrency: number };
  }
  const mapping = only(resourcesOf<MappingProperties>(template, 'AWS::Lambda::EventSourceMapping').values()).Properties;

  it('gives a worker one ticket, and takes its word on whether the ticket comes again', () => {
    expect(textOf(mapping.EventSourceArn)).toBe(`${tickets[0]}.Arn`);
    expect(mapping.BatchSize).toBe(1);
    expect(mapping.FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
  });

  it('has 100 workers at once', () => {
    expect(mapping.ScalingConfig.MaximumConcurrency).toBe(100);
  });
});

describe('the functions', () => {
  it('are five', () => {
    expect([...functions.keys()].sort()).toEqual(NAMES);
  });

  it('run on Node 24 on arm64', () => {
    for (const { Properties } of functions.values()) {
      expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
    }
  });

  it('are given every setting that they look for', () => {
    const queueUrls = new Map(
      [...resourcesOf(template, 'AWS::SQS::Queue').keys()].map((id) => [id, `https://q/${id}`]),
    );
    for (const { Properties } of functions.values()) {
      const env = Object.entries(Properties.Environment.Variables).map(([name, value]) => {
        const text = textOf(value);
        // What a Ref to a queue gives.
        return [name, queueUrls.get(text) ?? text];
      });
      const config = readConfig(Object.fromEntries(env) as NodeJS.ProcessEnv);
      expect(config).toMatchObject({
        deployment: 'Downburst/Downburst',
        filesPrefix: '',
        maxConnectionsPerHost: 256,
        maxOpenBatches: 20,
        workerMemoryMb: 1769,
        allowedNetworks: [],
      });
    }
  });

  it('write each a log of its own, which is not kept for ever', () => {
    const logs = resourcesOf<{ RetentionInDays: number }>(template, 'AWS::Logs::LogGroup');
    const used = [...functions.values()].map(({ Properties }) => textOf(Properties.LoggingConfig.LogGroup));
    expect(new Set(used).size).toBe(functions.size);
    expect([...logs.keys()]).toEqual(expect.arrayContaining(used));
    for (const { Properties } of logs.values()) expect(Properties.RetentionInDays).toBeGreaterThan(0);
  });

  it('have time for what they do', () => {
    expect(seconds('worker') * 1000).toBeGreaterThan(2 * TURN_TAIL_MS);
    expect(seconds('status')).toBeLessThanOrEqual(30);
    // The last look, and a cold start.
    expect(seconds('status') * 1000).toBeGreaterThanOrEqual(MAX_WAIT_MS + 5000);
    // A claim is taken over only from who cannot be alive.
    expect(seconds('api') * 1000).toBeLessThan(CLAIM_LEASE_MS);
    // Planning that is older is taken for dead.
    expect(seconds('api') * 1000).toBeLessThanOrEqual(PLANNING_STALE_MS);
    expect(seconds('planner') * 1000).toBeLessThanOrEqual(PLANNING_STALE_MS);
  });

  it('are not taken for a loop where workers wake each other', () => {
    const allowed = [...functions].filter(([, { Properties }]) => Properties.RecursiveLoop === 'Allow');
    expect(allowed.map(([name]) => name)).toEqual(['worker']);
  });

  it('sweep every minute, and not again after a failure', () => {
    const rules = resourcesOf<{ ScheduleExpression: string; Targets: { Arn: Value }[] }>(template, 'AWS::Events::Rule');
    const { ScheduleExpression, Targets } = only(rules.values()).Properties;
    expect(SWEEP_INTERVAL_MS).toBe(60_000);
    expect(ScheduleExpression).toBe('rate(1 minute)');
    expect(Targets.map(({ Arn }) => textOf(Arn))).toEqual([expect.stringMatching(/^DownburstSweeper[0-9A-F]+\.Arn$/)]);
    const invokes = resourcesOf<{ MaximumRetryAttempts: number }>(template, 'AWS::Lambda::EventInvokeConfig');
    expect(only(invokes.values()).Properties).toMatchObject({ MaximumRetryAttempts: 0 });
  });
});

describe('what the functions may do', () => {
  /** Logical ids without their hashes. */
  const readable = (resource: string) => resource.replaceAll(/Downburst([A-Z][A-Za-z]*?)[0-9A-F]{8}(\.Arn)?/g, '$1');
  const granted = (name: string) =>
    permissionsOf(template, name)
      .map(({ action, resource, condition }) => {
        const when = Object.entries(condition?.StringLikeIfExists ?? {}).map(([key, value]) => ` if ${key} ${value}`);
        return `${action} ${readable(resource)}${when.join('')}`;
      })
      .sort();

  const LOG = (name: string) => [`logs:CreateLogStream ${name}Log`, `logs:PutLogEvents ${name}Log`];
  const READ = ['dynamodb:GetItem Ledger', 'dynamodb:Query Ledger', 's3:GetObject State/batches/*'];
  const LIST = ['s3:ListBucket State if s3:prefix batches/*'];
  const WRITE = ['dynamodb:PutItem Ledger', 'sqs:SendMessage Tickets'];
  const CLOSE = [
    'dynamodb:DeleteItem Ledger',
    'events:PutEvents arn:AWS::Partition:events:AWS::Region:AWS::AccountId:event-bus/default',
    's3:AbortMultipartUpload Files/*',
    's3:AbortMultipartUpload State/batches/*',
    's3:DeleteObject State/secrets/*',
    's3:PutObject State/batches/*',
  ];
  const DELETE = ['s3:DeleteObject State/batches/*'];

  const LISTS = ['s3:GetObject State/lists/*', 's3:ListBucket State if s3:prefix lists/*'];
  const PLAN = ['lambda:InvokeFunction Planner'];

  it.each([
    [
      'api',
      [
        ...LOG('Api'),
        ...READ,
        ...LIST,
        ...WRITE,
        ...CLOSE,
        ...DELETE,
        ...LISTS,
        ...PLAN,
        's3:PutObject State/lists/*',
        's3:PutObject State/secrets/*',
      ],
    ],
    ['status', [...LOG('Status'), ...READ, ...LIST, 's3:GetObject Files/*', 's3:ListBucket Files if s3:prefix *']],
    [
      'planner',
      [
        ...LOG('Planner'),
        ...READ,
        ...LIST,
        ...WRITE,
        ...CLOSE.filter((grant) => !grant.includes('Files')),
        ...DELETE,
        ...LISTS,
      ],
    ],
    [
      'sweeper',
      [...LOG('Sweeper'), ...READ, ...LIST, ...WRITE, ...CLOSE, ...DELETE, ...PLAN, 'sqs:GetQueueAttributes Tickets'],
    ],
    [
      'worker',
      [
        ...LOG('Worker'),
        ...READ,
        ...LIST,
        ...WRITE,
        ...CLOSE,
        's3:GetObject State/secrets/*',
        's3:DeleteObject State/batches/*/waiting/*',
        's3:GetObject Files/*',
        's3:PutObject Files/*',
        's3:ListBucket Files if s3:prefix *',
        'sqs:ChangeMessageVisibility Tickets',
        'sqs:DeleteMessage Tickets',
        'sqs:GetQueueAttributes Tickets',
        'sqs:ReceiveMessage Tickets',
      ],
    ],
  ])('%s: its log and what it uses', (name, expected) => {
    expect(granted(name)).toEqual(expected.sort());
  });

  it('names every action, and on what', () => {
    for (const name of NAMES) {
      for (const { action, resource } of permissionsOf(template, name)) {
        expect(action).toMatch(/^[a-z0-9]+:[A-Za-z]+$/);
        expect(resource).not.toMatch(/^\*/);
      }
    }
  });
});

describe('the stores', () => {
  interface BucketProperties {
    BucketEncryption: object;
    PublicAccessBlockConfiguration: Record<string, boolean>;
    LifecycleConfiguration: {
      Rules: {
        Status: string;
        Prefix?: string;
        ExpirationInDays?: number;
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: number };
        NoncurrentVersionExpiration?: { NoncurrentDays: number };
      }[];
    };
    VersioningConfiguration?: { Status: string };
  }
  const buckets = resourcesOf<BucketProperties>(template, 'AWS::S3::Bucket');
  const ruleOf = ({ Properties }: Resource<BucketProperties>) =>
    only(Properties.LifecycleConfiguration.Rules.filter(({ Prefix }) => Prefix === undefined));

  it('are two private, encrypted buckets that answer over TLS only', () => {
    expect(buckets.size).toBe(2);
    const policies = resourcesOf<{ Bucket: Value; PolicyDocument: object }>(template, 'AWS::S3::BucketPolicy');
    for (const [id, { Properties }] of buckets) {
      const { BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets } =
        Properties.PublicAccessBlockConfiguration;
      expect([BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets]).toEqual(
        Array.from({ length: 4 }, () => true),
      );
      expect(JSON.stringify(Properties.BucketEncryption)).toContain('"SSEAlgorithm":"AES256"');
      const policy = only([...policies.values()].filter((policy) => textOf(policy.Properties.Bucket) === id));
      expect(JSON.stringify(policy.Properties.PolicyDocument)).toContain(
        '"Condition":{"Bool":{"aws:SecureTransport":"false"}},"Effect":"Deny"',
      );
    }
  });

  it('keep state for longer than any batch may take, and files for ever', () => {
    const expiries = [...buckets.values()].map((bucket) => ruleOf(bucket).ExpirationInDays);
    const [days] = expiries.filter((expiry) => expiry !== undefined);
    expect(expiries).toContain(undefined);
    expect(days).toBe(90);
    expect((days ?? 0) * DAY_SECONDS).toBeGreaterThan(OPTION_RANGES.deadlineSeconds.max);
  });

  it('keep files that were replaced for a while, and no secrets that were deleted', () => {
    const [state, files] = [...buckets].map(([, { Properties }]) => Properties);
    expect(state?.VersioningConfiguration).toBeUndefined();
    expect(files?.VersioningConfiguration).toEqual({ Status: 'Enabled' });
    expect(files?.LifecycleConfiguration.Rules[0]?.NoncurrentVersionExpiration).toEqual({ NoncurrentDays: 30 });
  });

  it('keep uploaded lists for a week', () => {
    const rules = [...buckets.values()].flatMap(({ Properties }) => Properties.LifecycleConfiguration.Rules);
    const { Prefix, ExpirationInDays = 0 } = only(rules.filter((rule) => rule.Prefix !== undefined));
    expect(Prefix).toBe(LISTS_PREFIX);
    expect(ExpirationInDays * DAY_SECONDS * 1000).toBe(LIST_KEPT_MS);
  });

  it('end uploads that a killed worker left, after the longest time that a batch can have', () => {
    for (const bucket of buckets.values()) {
      const { Status, AbortIncompleteMultipartUpload } = ruleOf(bucket);
      expect(Status).toBe('Enabled');
      const left = AbortIncompleteMultipartUpload.DaysAfterInitiation * DAY_SECONDS;
      expect(left).toBeGreaterThan(OPTION_RANGES.deadlineSeconds.max);
    }
  });

  it('keep records on demand, with expiry and a way back', () => {
    const table = only(resourcesOf<object>(template, 'AWS::DynamoDB::Table').values());
    expect(table.Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });

  it('stay when the stack is deleted', () => {
    const kept = [...buckets.values(), ...resourcesOf(template, 'AWS::DynamoDB::Table').values()];
    expect(kept.map(({ DeletionPolicy }) => DeletionPolicy)).toEqual(['Retain', 'Retain', 'Retain']);
  });
});

describe('the HTTP API', () => {
  it('takes signed requests only, whatever their path', () => {
    const routes = resourcesOf<{ RouteKey: string; AuthorizationType?: string }>(template, 'AWS::ApiGatewayV2::Route');
    const all = [...routes.values()].map(({ Properties }) => [Properties.RouteKey, Properties.AuthorizationType]);
    expect(new Map(all as [string, string][])).toEqual(
      new Map([
        ['$default', 'AWS_IAM'],
        ['DELETE /{proxy+}', 'AWS_IAM'],
        ['POST /{proxy+}', 'AWS_IAM'],
      ]),
    );
  });

  it('is the only way in from outside', () => {
    expect(resourcesOf(template, 'AWS::Lambda::Url').size).toBe(0);
  });

  it('logs every request without its query', () => {
    const { AccessLogSettings } = only(
      resourcesOf<{ AccessLogSettings: { DestinationArn: Value; Format: string } }>(
        template,
        'AWS::ApiGatewayV2::Stage',
      ).values(),
    ).Properties;
    const log = template.Resources[textOf(AccessLogSettings.DestinationArn).replace(/\.Arn$/, '')];
    expect(log?.Properties).toMatchObject({
      LogGroupName: '/aws/vendedlogs/downburst/Downburst/Downburst',
      RetentionInDays: 30,
    });
    const format = JSON.parse(AccessLogSettings.Format) as Record<string, string>;
    expect(format).toMatchObject({ requestId: '$context.requestId', path: '$context.path' });
    expect(Object.values(format).join()).not.toMatch(/querystring|header/i);
  });

  it('can be called by who is given a policy for that', () => {
    const { PolicyDocument } = only(
      resourcesOf<{ PolicyDocument: { Statement: Statement[] } }>(template, 'AWS::IAM::ManagedPolicy').values(),
    ).Properties;
    expect(PolicyDocument.Statement.map(({ Action }) => Action)).toEqual(['execute-api:Invoke']);
    const [api] = resourcesOf(template, 'AWS::ApiGatewayV2::Api').keys();
    const [{ Resource } = {}] = PolicyDocument.Statement;
    expect([Resource ?? []].flat().map(textOf)).toEqual([
      `arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:${api}/*/*/*`,
    ]);
  });

  it('is told of at the end of a deployment, with a first command to try', () => {
    const { ApiUrl, FirstCommand } = template.Outputs;
    const url = textOf(ApiUrl?.Value ?? '');
    expect(url).toMatch(/\.ApiEndpoint$/);
    expect(textOf(FirstCommand?.Value ?? '')).toMatch(/^curl --aws-sigv4 aws:amz:AWS::Region:execute-api /);
    expect(textOf(FirstCommand?.Value ?? '').endsWith(` ${url}/batches`)).toBe(true);
  });
});

describe('the alarms', () => {
  interface AlarmProperties {
    AlarmActions: Value[];
    AlarmDescription: string;
    Namespace: string;
    MetricName: string;
    Dimensions: { Name: string; Value: Value }[];
    TreatMissingData: string;
    ComparisonOperator: string;
  }
  const alarms = [...resourcesOf<AlarmProperties>(template, 'AWS::CloudWatch::Alarm').values()].map(
    ({ Properties }) => Properties,
  );
  const own = alarms.filter(({ Namespace }) => Namespace === METRICS_NAMESPACE);

  it('are each told to the topic, with the section of the runbook', () => {
    const [topic] = resourcesOf(template, 'AWS::SNS::Topic').keys();
    for (const { AlarmActions } of alarms) expect(AlarmActions.map(textOf)).toEqual([topic]);
    const sections = alarms.map(
      ({ AlarmDescription }) => / docs\/operations\.md#([a-z-]+)$/.exec(AlarmDescription)?.[1],
    );
    expect([...new Set(sections)].sort()).toEqual([
      'api-errors',
      'dead-letters',
      'planner-errors',
      'silent-batch',
      'sweeper-errors',
      'sweeper-finds',
      'worker-errors',
      'worker-throttles',
    ]);
  });

  it('may publish to the topic, and only over TLS', () => {
    const { PolicyDocument } = only(
      resourcesOf<{ PolicyDocument: object }>(template, 'AWS::SNS::TopicPolicy').values(),
    ).Properties;
    const policy = JSON.stringify(PolicyDocument);
    expect(policy).toContain('"Condition":{"Bool":{"aws:SecureTransport":"false"}},"Effect":"Deny"');
    expect(policy).toContain('"Effect":"Allow","Principal":{"Service":"cloudwatch.amazonaws.com"}');
  });

  it('watch what the functions of this deployment measure', () => {
    expect(own.length).toBeGreaterThan(0);
    const [{ DOWNBURST_DEPLOYMENT } = {}] = [...functions.values()].map(
      ({ Properties }) => Properties.Environment.Variables,
    );
    for (const { MetricName, Dimensions } of own) {
      expect(Object.keys(METRICS)).toContain(MetricName);
      expect(Dimensions).toEqual([{ Name: DEPLOYMENT_DIMENSION, Value: DOWNBURST_DEPLOYMENT }]);
    }
  });

  it('take silence for trouble where the sweeper is not started, and nowhere else', () => {
    const breaching = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching');
    expect(breaching).toEqual([
      expect.objectContaining({ MetricName: 'Invocations', ComparisonOperator: 'LessThanThreshold' }),
    ]);
    expect(textOf(breaching[0]?.Dimensions[0]?.Value ?? '')).toMatch(/^DownburstSweeper/);
  });

  it("do not go by the queue's oldest message, which leaves out tickets that were received often", () => {
    expect(alarms.map(({ MetricName }) => MetricName)).not.toContain('ApproximateAgeOfOldestMessage');
  });

  it('are on a dashboard with everything that is measured', () => {
    const { DashboardBody } = only(
      resourcesOf<{ DashboardBody: Value }>(template, 'AWS::CloudWatch::Dashboard').values(),
    ).Properties;
    const body = textOf(DashboardBody);
    for (const name of Object.keys(METRICS)) expect(body).toContain(`"${METRICS_NAMESPACE}","${name}"`);
    for (const id of resourcesOf(template, 'AWS::CloudWatch::Alarm').keys()) expect(body).toContain(`${id}.Arn`);
  });
});

describe('docs/deploy.md', () => {
  it.each(NAMES)('says what memory and time the function %s has', (name) => {
    const { MemorySize = 0, Timeout = 0 } = functions.get(name)?.Properties ?? {};
    const time = Timeout < 60 ? `${Timeout} s` : `${Timeout / 60} min`;
    const memory = `${MemorySize.toLocaleString('en')} MB`;
    expect(page).toMatch(new RegExp(`^\\| ${name} +\\|[^|]+\\| ${memory} +\\| ${time} +\\|$`, 'm'));
  });
});

it('the first command that the deployment prints is signed, and works with credentials that have no session', () => {
  const printed = textOf(template.Outputs.FirstCommand?.Value ?? '')
    .replace('AWS::Region', 'eu-central-1')
    .replace(/\S+(?=\/batches$)/, 'https://abcdefghij.execute-api.eu-central-1.amazonaws.com');
  expect(printed).toBe(
    'curl --aws-sigv4 aws:amz:eu-central-1:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" ' +
      '${AWS_SESSION_TOKEN:+-Hx-amz-security-token:$AWS_SESSION_TOKEN} ' +
      `--json '{"name": "first", "urls": ["https://www.rfc-editor.org/rfc/rfc9110.txt"]}' ` +
      'https://abcdefghij.execute-api.eu-central-1.amazonaws.com/batches',
  );
});

it('a ticket can wait in the queue as long as a turn may ask it to', () => {
  // Visibility counts from the receive, and a turn asks at its very end.
  const MAX_VISIBILITY_SECONDS = 12 * 60 * 60;
  expect(seconds('worker') + MAX_TICKET_WAIT_MS / 1000).toBeLessThan(MAX_VISIBILITY_SECONDS);
});
