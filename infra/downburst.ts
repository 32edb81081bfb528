import { Duration } from 'aws-cdk-lib';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { DEFAULT_MAX_OPEN_BATCHES, SWEEP_INTERVAL_MS } from '../core/model/limits.ts';
import { createFunction, WORKER_TIME_LIMIT, type FunctionName } from './functions.ts';
import { grantStores, type FilesBucket } from './grants.ts';
import { createFilesBucket, createLedger, createStateBucket, createTickets } from './stores.ts';

export interface DownburstProps {
  /**
   * Workers at once, 2 to 1,000; below the account's limit of concurrent executions, which they share.
   *
   * @default 100
   */
  maxConcurrency?: number;
  /**
   * The highest `connectionsPerHost` that a batch may ask for.
   *
   * @default 256
   */
  maxConnectionsPerHost?: number;
  /**
   * Batches that may be open at once, 1 to 1,000; more are refused.
   *
   * @default 20
   */
  maxOpenBatches?: number;
  /**
   * Where the files go. Give it a lifecycle rule that ends incomplete uploads after 8 days.
   *
   * @default a bucket is made
   */
  filesBucket?: FilesBucket;
  /**
   * What every key of a file begins with: empty, or whole folders as `a/b/`.
   *
   * @default ''
   */
  filesPrefix?: string;
}

/** The deployed service: HTTP API, functions, table, queue and buckets. */
export class Downburst extends Construct {
  readonly apiUrl: string;
  readonly filesBucket: FilesBucket;

  constructor(scope: Construct, id: string, props: DownburstProps = {}) {
    super(scope, id);
    const { maxConcurrency = 100, maxConnectionsPerHost = 256, filesPrefix = '' } = props;
    const { maxOpenBatches = DEFAULT_MAX_OPEN_BATCHES } = props;

    const ledger = createLedger(this);
    const state = createStateBucket(this);
    const files = props.filesBucket ?? createFilesBucket(this);
    const tickets = createTickets(this, WORKER_TIME_LIMIT);
    const config = {
      DOWNBURST_TABLE: ledger.tableName,
      DOWNBURST_STATE_BUCKET: state.bucketName,
      DOWNBURST_FILES_BUCKET: files.bucketName,
      DOWNBURST_FILES_PREFIX: filesPrefix,
      DOWNBURST_QUEUE_URL: tickets.queueUrl,
      DOWNBURST_MAX_CONNECTIONS_PER_HOST: String(maxConnectionsPerHost),
      DOWNBURST_MAX_OPEN_BATCHES: String(maxOpenBatches),
      DOWNBURST_MAX_CONCURRENCY: String(maxConcurrency),
    };
    const make = (name: FunctionName) => createFunction(this, name, config);
    const functions = {
      api: make('api'),
      status: make('status'),
      planner: make('planner'),
      worker: make('worker'),
      sweeper: make('sweeper'),
    };
    for (const starter of [functions.api, functions.sweeper]) {
      starter.addEnvironment('DOWNBURST_PLANNER_FUNCTION', functions.planner.functionName);
    }
    grantStores(functions, { ledger, tickets, state, files, filesPrefix });

    functions.worker.addEventSourceMapping('Tickets', {
      eventSourceArn: tickets.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency,
    });
    new Rule(this, 'Sweep', {
      schedule: Schedule.rate(Duration.millis(SWEEP_INTERVAL_MS)),
      targets: [new LambdaFunction(functions.sweeper)],
    });

    this.apiUrl = createApi(this, functions).apiEndpoint;
    this.filesBucket = files;
  }
}

/** An API that takes signed requests only: what writes goes to `api`, everything else, unknown paths too, to `status`. */
function createApi(scope: Construct, { api, status }: Record<'api' | 'status', IFunction>): HttpApi {
  const http = new HttpApi(scope, 'Http', {
    apiName: 'downburst',
    defaultAuthorizer: new HttpIamAuthorizer(),
    defaultIntegration: new HttpLambdaIntegration('Status', status),
  });
  http.addRoutes({
    path: '/{proxy+}',
    methods: [HttpMethod.POST, HttpMethod.DELETE],
    integration: new HttpLambdaIntegration('Api', api),
  });
  return http;
}
