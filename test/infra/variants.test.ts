import { Duration, RemovalPolicy, Stack, Validations, type App } from 'aws-cdk-lib';
import { SecurityGroup, SubnetType, Vpc, type IVpc } from 'aws-cdk-lib/aws-ec2';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../adapters/aws/config.ts';
import { Downburst } from '../../infra/downburst.ts';
import { DownburstStack } from '../../infra/stack.ts';
import {
  functionsOf,
  permissionsOf,
  resourcesOf,
  statementsOf,
  synthesiseAll,
  textOf,
  type Template,
  type Value,
} from './synth.ts';

const KEY = 'arn:aws:kms:eu-central-1:123456789012:key/0123-abcd';
const PAGES = 'arn:aws:sns:eu-central-1:123456789012:pages';

// One app for all: what costs time is done once.
const { first, second, given, inVpc, forPages, open, others } = synthesiseAll((app) => ({
  first: new DownburstStack(app, 'Downburst'),
  second: new DownburstStack(app, 'Downburst-test'),
  given: new DownburstStack(app, 'Given', {
    filesBucket: 'my-bucket',
    filesPrefix: 'downloads/',
    filesKeyArn: KEY,
    stateExpiryDays: 400,
    maxConcurrency: 7,
    workerMemoryMb: 3008,
    maxConnectionsPerHost: 32,
    maxOpenBatches: 5,
    allowedNetworks: ['10.1.0.0/16', 'fd00:1::/32'],
    alarmTopic: PAGES,
    logRetentionDays: RetentionDays.ONE_WEEK,
    terminationProtection: true,
    tags: { team: 'media' },
  }),
  inVpc: new DownburstStack(app, 'InVpc', {
    vpc: { vpcId: 'vpc-0123abcd', subnetIds: ['subnet-0123abcd', 'subnet-4567abcd'] },
    securityGroups: ['sg-0123abcd'],
    tracing: true,
  }),
  forPages: new DownburstStack(app, 'ForPages', {
    authorisation: { type: 'jwt', issuer: 'https://id.example/pool', audience: ['app'] },
    cors: { origins: ['https://app.example'] },
    alarmEmail: 'ops@example.com',
    removalPolicy: RemovalPolicy.DESTROY,
  }),
  open: new DownburstStack(app, 'Open', {
    authorisation: { type: 'public', anyoneMayStoreFilesAtMyExpense: true },
  }),
  others: stackOfAnother(app),
}));

/** Somebody's own stack, with two services in it that share a bucket, a VPC and a topic. */
function stackOfAnother(app: App): Stack {
  const stack = new Stack(app, 'Others');
  const filesBucket = new Bucket(stack, 'Bucket', { enforceSSL: true, blockPublicAccess: BlockPublicAccess.BLOCK_ALL });
  // CDK's own types do not go together under `exactOptionalPropertyTypes`.
  const vpc = new Vpc(stack, 'Vpc') as IVpc;
  const securityGroups = [new SecurityGroup(stack, 'Group', { vpc })];
  const alarmTopic = new Topic(stack, 'Topic', { enforceSSL: true });
  Validations.of(stack).acknowledge(
    { id: 'AwsSolutions-S1', reason: 'It is not ours to decide.' },
    { id: 'AwsSolutions-VPC7', reason: 'It is not ours to decide.' },
    { id: 'Annotation::downburst:nat-bills-by-the-gigabyte', reason: 'We know.' },
  );
  const vpcSubnets = { subnetType: SubnetType.PRIVATE_WITH_EGRESS };
  new Downburst(stack, 'Media', { filesBucket, filesPrefix: 'media/', vpc, vpcSubnets, securityGroups, alarmTopic });
  new Downburst(stack, 'Papers', { filesBucket, filesPrefix: 'papers/' });
  // Rules may be added later.
  filesBucket.addLifecycleRule({ abortIncompleteMultipartUploadAfter: Duration.days(61) });
  return stack;
}

const variablesOf = (template: Template, name: string) =>
  functionsOf(template).get(name)?.Properties.Environment.Variables ?? {};
const routesOf = ({ template }: { template: Template }) =>
  [...resourcesOf<{ RouteKey: string; AuthorizationType: string }>(template, 'AWS::ApiGatewayV2::Route').values()].map(
    ({ Properties }) => `${Properties.RouteKey}: ${Properties.AuthorizationType}`,
  );
const commandOf = ({ template }: { template: Template }) => textOf(template.Outputs.FirstCommand?.Value ?? '');

describe('two stages in one account and region', () => {
  it('have no name in common', () => {
    const namesOf = ({ template }: { template: Template }) =>
      Object.values(template.Resources)
        // A policy is of its role.
        .filter(({ Type }) => Type !== 'AWS::IAM::Policy')
        .flatMap(({ Type, Properties }) =>
          Object.entries(Properties)
            // A stage is of its API, and metrics are everybody's.
            .filter(([name, value]) => /^(?!Stage|Metric)\w*Name$/.test(name) && typeof value === 'string')
            .map(([name, value]) => `${Type} ${name} ${String(value)}`),
        );
    expect(namesOf(first)).toContain('AWS::Logs::LogGroup LogGroupName /aws/vendedlogs/downburst/Downburst/Downburst');
    expect(namesOf(first).filter((name) => namesOf(second).includes(name))).toEqual([]);
  });

  it('measure apart', () => {
    expect(variablesOf(first.template, 'worker').DOWNBURST_DEPLOYMENT).toBe('Downburst/Downburst');
    expect(variablesOf(second.template, 'worker').DOWNBURST_DEPLOYMENT).toBe('Downburst-test/Downburst');
  });

  it('say nothing at synth', () => {
    expect([...first.warnings, ...second.warnings]).toEqual([]);
  });
});

describe('a bucket of the user', () => {
  const { template, warnings } = given;

  it('is used below the prefix only, with its key', () => {
    const onMine = (name: string) =>
      permissionsOf(template, name)
        .filter(({ resource }) => /my-bucket|kms/.test(resource))
        .map(({ action, resource, condition }) =>
          [action, resource.replace(/^arn:.*:s3:::/, ''), ...Object.values(condition?.StringLikeIfExists ?? {})].join(
            ' ',
          ),
        )
        .sort();
    expect(onMine('worker')).toEqual([
      `kms:Decrypt ${KEY}`,
      `kms:GenerateDataKey ${KEY}`,
      's3:AbortMultipartUpload my-bucket/downloads/*',
      's3:GetObject my-bucket/downloads/*',
      's3:ListBucket my-bucket downloads/*',
      's3:PutObject my-bucket/downloads/*',
    ]);
    expect(onMine('status')).toEqual([
      `kms:Decrypt ${KEY}`,
      's3:GetObject my-bucket/downloads/*',
      's3:ListBucket my-bucket downloads/*',
    ]);
    expect(resourcesOf(template, 'AWS::S3::Bucket').size).toBe(1);
  });

  it('is warned of if nothing is known to end its incomplete uploads', () => {
    expect(warnings.filter((warning) => warning.includes('incomplete uploads'))).toEqual([
      expect.stringContaining('aborts incomplete multipart uploads after 61 days'),
    ]);
    // It has a rule.
    expect(others.warnings.filter((warning) => warning.includes('incomplete uploads'))).toEqual([]);
  });
});

describe('settings', () => {
  it('reach the functions', () => {
    const config = readConfig({
      ...Object.fromEntries(
        Object.entries(variablesOf(given.template, 'worker')).map(([name, value]) => [name, textOf(value)]),
      ),
      DOWNBURST_QUEUE_URL: 'https://queue.example',
    });
    expect(config).toMatchObject({
      filesBucket: 'my-bucket',
      filesPrefix: 'downloads/',
      maxConnectionsPerHost: 32,
      maxOpenBatches: 5,
      maxConcurrency: 7,
    });
    expect(config.allowedNetworks.map(([address, bits]) => `${address.toString()}/${bits}`)).toEqual([
      '10.1.0.0/16',
      'fd00:1::/32',
    ]);
    expect(functionsOf(given.template).get('worker')?.Properties.MemorySize).toBe(3008);
  });

  it('reach what is around the functions', () => {
    const { template } = given;
    const all = JSON.stringify([...resourcesOf(template, 'AWS::S3::Bucket').values()]);
    expect(all).toContain('"ExpirationInDays":400');
    expect(all).toContain('{"Key":"team","Value":"media"}');
    for (const { Properties } of resourcesOf<{ RetentionInDays: number }>(template, 'AWS::Logs::LogGroup').values()) {
      expect(Properties.RetentionInDays).toBe(7);
    }
    for (const { Properties } of resourcesOf<{ AlarmActions: Value[] }>(template, 'AWS::CloudWatch::Alarm').values()) {
      expect(Properties.AlarmActions).toEqual([PAGES]);
    }
    expect(resourcesOf(template, 'AWS::SNS::Topic').size).toBe(0);
    expect([given, first].map(({ terminationProtection }) => terminationProtection)).toEqual([true, false]);
    const mappings = resourcesOf(template, 'AWS::Lambda::EventSourceMapping');
    expect([...mappings.values()].map(({ Properties }) => Properties)).toEqual([
      expect.objectContaining({ ScalingConfig: { MaximumConcurrency: 7 } }),
    ]);
  });

  it('warn of networks that are out of reach', () => {
    expect(given.warnings.filter((warning) => warning.includes('no way into private networks'))).toHaveLength(1);
  });
});

describe('a VPC', () => {
  const worker = functionsOf(inVpc.template).get('worker');

  it('has the workers in it and nobody else', () => {
    const inside = [...functionsOf(inVpc.template)].filter(([, { Properties }]) => Properties.VpcConfig);
    expect(inside.map(([name]) => name)).toEqual(['worker']);
    expect(worker?.Properties.VpcConfig).toEqual({
      SubnetIds: ['subnet-0123abcd', 'subnet-4567abcd'],
      SecurityGroupIds: ['sg-0123abcd'],
    });
  });

  it('is entered by Lambda in the name of the worker, which may not do the same itself', () => {
    const interfaces = statementsOf(inVpc.template, 'worker').filter(({ Action }) =>
      [Action].flat().some((action) => action.startsWith('ec2:')),
    );
    const [allowed, denied] = ['Allow', 'Deny'].map((effect) => interfaces.find(({ Effect }) => Effect === effect));
    expect(interfaces).toHaveLength(2);
    expect(allowed?.Action).toEqual(expect.arrayContaining([denied?.Action ?? '?'].flat()));
    expect(textOf(denied?.Condition?.ArnLike?.['lambda:SourceFunctionArn'] ?? '')).toMatch(/:lambda:.*:function:\*$/);
    // Lambda looks for the permission when the function is made.
    expect(worker?.DependsOn).toEqual(expect.arrayContaining([expect.stringContaining('WorkerRoleDefaultPolicy')]));
  });

  it('is warned of, since its NAT gateway bills by the gigabyte', () => {
    expect(inVpc.warnings).toEqual([expect.stringContaining('bills each gigabyte')]);
  });

  it('is not warned of where somebody said that they know', () => {
    expect(others.warnings).toEqual([]);
  });

  it('can be one that is made in the same app', () => {
    const media = Object.entries(others.template.Resources).find(([id]) => /^MediaWorker[0-9A-F]{8}$/.test(id))?.[1];
    expect(media?.Properties).toMatchObject({
      VpcConfig: {
        SubnetIds: [expect.anything(), expect.anything()],
        SecurityGroupIds: [{ 'Fn::GetAtt': [expect.stringMatching(/^Group/), 'GroupId'] }],
      },
    });
  });
});

it('traces are those of all functions', () => {
  for (const [name, { Properties }] of functionsOf(inVpc.template)) {
    expect(Properties.TracingConfig).toEqual({ Mode: 'Active' });
    const actions = statementsOf(inVpc.template, name).flatMap(({ Action }) => Action);
    expect(actions).toContain('xray:PutTraceSegments');
  }
});

describe('an API for web pages', () => {
  const { template } = forPages;

  it('takes tokens of the issuer for the audience, on every route', () => {
    expect(routesOf(forPages).sort()).toEqual(
      ['DELETE /{proxy+}', 'GET /', 'GET /{proxy+}', 'HEAD /', 'HEAD /{proxy+}', 'POST /{proxy+}'].map(
        (route) => `${route}: JWT`,
      ),
    );
    const authorizers = [...resourcesOf(template, 'AWS::ApiGatewayV2::Authorizer').values()];
    expect(authorizers.map(({ Properties }) => Properties)).toEqual([
      expect.objectContaining({ JwtConfiguration: { Audience: ['app'], Issuer: 'https://id.example/pool' } }),
    ]);
    expect(resourcesOf(template, 'AWS::IAM::ManagedPolicy').size).toBe(0);
    expect(commandOf(forPages)).toMatch(/^curl -H "authorization: Bearer \$TOKEN" --json /);
  });

  it('leaves preflight requests, which bear no token, to API Gateway', () => {
    expect(routesOf(forPages).filter((route) => /\$default|ANY|OPTIONS/.test(route))).toEqual([]);
    const [api] = resourcesOf(template, 'AWS::ApiGatewayV2::Api').values();
    expect(api?.Properties).toMatchObject({
      CorsConfiguration: {
        AllowOrigins: ['https://app.example'],
        AllowHeaders: expect.arrayContaining(['authorization', 'idempotency-key']) as unknown,
      },
    });
  });

  it('lets the pages upload lists and follow links to files', () => {
    const buckets = resourcesOf<{
      CorsConfiguration: { CorsRules: { AllowedMethods: string[]; AllowedOrigins: string[] }[] };
    }>(template, 'AWS::S3::Bucket');
    const rules = [...buckets.values()].flatMap(({ Properties }) => Properties.CorsConfiguration.CorsRules);
    expect(rules.map(({ AllowedMethods }) => AllowedMethods)).toEqual([['PUT'], ['GET', 'HEAD']]);
    for (const { AllowedOrigins } of rules) expect(AllowedOrigins).toEqual(['https://app.example']);
  });

  it('sends alarms to an address', () => {
    const [subscription] = resourcesOf(template, 'AWS::SNS::Subscription').values();
    expect(subscription?.Properties).toMatchObject({ Protocol: 'email', Endpoint: 'ops@example.com' });
  });

  it('leaves nothing behind where the settings say so', () => {
    const stores = ['AWS::S3::Bucket', 'AWS::DynamoDB::Table'].flatMap((type) => [
      ...resourcesOf(template, type).values(),
    ]);
    expect(stores.map(({ DeletionPolicy }) => DeletionPolicy)).toEqual(['Delete', 'Delete', 'Delete']);
    expect(resourcesOf(template, 'Custom::S3AutoDeleteObjects').size).toBe(2);
  });
});

it('an API is public only by those words', () => {
  expect(routesOf(open).sort()).toEqual(['$default: NONE', 'DELETE /{proxy+}: NONE', 'POST /{proxy+}: NONE']);
  expect(commandOf(open)).toMatch(/^curl --json /);
});

it("two services in somebody's stack keep to their prefixes and measure apart", () => {
  const { Resources } = others.template;
  const envs = Object.entries(Resources)
    .filter(([id]) => /^(Media|Papers)Worker[0-9A-F]{8}$/.test(id))
    .map(
      ([, { Properties }]) =>
        (Properties as { Environment: { Variables: Record<string, Value> } }).Environment.Variables,
    );
  expect(envs.map((env) => [env.DOWNBURST_FILES_PREFIX, env.DOWNBURST_DEPLOYMENT])).toEqual([
    ['media/', 'Others/Media'],
    ['papers/', 'Others/Papers'],
  ]);
});
