import { Duration, Stack, Tags } from 'aws-cdk-lib';
import type { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { SWEEP_INTERVAL_MS } from '../core/model/limits.ts';
import { alarmTopicOf, createAlarms } from './alarms.ts';
import { createApi, createInvokePolicy } from './api.ts';
import { createDashboard } from './dashboard.ts';
import { createFunction, WORKER_TIME_LIMIT, type FunctionName, type FunctionOptions } from './functions.ts';
import { grantStores } from './grants.ts';
import { allowNetworkInterfaces, networkOf } from './network.ts';
import { readSettings, type DownburstProps, type FilesBucket } from './settings.ts';
import { createLedger, createStateBucket, createTickets, filesBucketOf } from './stores.ts';

/**
 * The deployed service: HTTP API, functions, table, queue and buckets, with alarms and a dashboard. Nothing in it has a
 * name that another one could have. Errors: `SettingsError`, for props that are wrong.
 */
export class Downburst extends Construct {
  /** Where the API is, without a slash at the end. */
  readonly apiUrl: string;
  readonly filesBucket: FilesBucket;
  readonly stateBucket: Bucket;
  /** What those need who are to call the API; only where requests are signed. */
  readonly invokePolicy: ManagedPolicy | undefined;
  /** Where alarms are sent. */
  readonly alarmTopic: ITopic;
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: DownburstProps = {}) {
    super(scope, id);
    const settings = readSettings(props);
    const deployment = deploymentOf(this);
    Tags.of(this).add('downburst', deployment);

    const ledger = createLedger(this, settings);
    const state = createStateBucket(this, settings);
    const files = filesBucketOf(this, settings);
    const { tickets, deadLetters } = createTickets(this, WORKER_TIME_LIMIT);
    const environment = {
      DOWNBURST_DEPLOYMENT: deployment,
      DOWNBURST_TABLE: ledger.tableName,
      DOWNBURST_STATE_BUCKET: state.bucketName,
      DOWNBURST_FILES_BUCKET: files.bucketName,
      DOWNBURST_FILES_PREFIX: settings.filesPrefix,
      DOWNBURST_QUEUE_URL: tickets.queueUrl,
      DOWNBURST_MAX_CONNECTIONS_PER_HOST: String(settings.maxConnectionsPerHost),
      DOWNBURST_MAX_OPEN_BATCHES: String(settings.maxOpenBatches),
      DOWNBURST_MAX_CONCURRENCY: String(settings.maxConcurrency),
      DOWNBURST_WORKER_MEMORY_MB: String(settings.workerMemoryMb),
      DOWNBURST_ALLOWED_NETWORKS: settings.allowedNetworks.join(),
    };
    const make = (name: FunctionName, own: FunctionOptions['own'] = {}) =>
      createFunction(this, name, { environment, settings, own });
    const network = networkOf(this, settings);
    const functions = {
      api: make('api'),
      status: make('status'),
      planner: make('planner'),
      worker: make('worker', { memorySize: settings.workerMemoryMb, ...network }),
      sweeper: make('sweeper'),
    };
    for (const starter of [functions.api, functions.sweeper]) {
      starter.addEnvironment('DOWNBURST_PLANNER_FUNCTION', functions.planner.functionName);
    }
    grantStores(functions, { ledger, tickets, state, files, filesPrefix: settings.filesPrefix });
    if (network) allowNetworkInterfaces(functions.worker);

    functions.worker.addEventSourceMapping('Tickets', {
      eventSourceArn: tickets.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: settings.maxConcurrency,
    });
    new Rule(this, 'Sweep', {
      schedule: Schedule.rate(Duration.millis(SWEEP_INTERVAL_MS)),
      targets: [new LambdaFunction(functions.sweeper)],
    });

    const http = createApi(this, functions, settings, deployment);
    const watched = { functions, http, tickets, deadLetters, ledger, deployment };
    this.apiUrl = http.apiEndpoint;
    this.filesBucket = files;
    this.stateBucket = state;
    this.invokePolicy = settings.authorisation.type === 'iam' ? createInvokePolicy(this, http) : undefined;
    this.alarmTopic = alarmTopicOf(this, settings);
    this.dashboard = createDashboard(this, watched, createAlarms(this, watched, this.alarmTopic));
  }
}

/** The stack's name and the construct's path in it, which no other in the account and region has. */
function deploymentOf(construct: Construct): string {
  const stack = Stack.of(construct);
  const path = construct.node.scopes.slice(stack.node.scopes.length).map(({ node }) => node.id);
  // Names of logs have no other characters, nor have dimensions of metrics any that are not ASCII.
  return [stack.stackName, ...path.map((id) => id.replaceAll(/[^\w.#-]/g, '_'))].join('/');
}
