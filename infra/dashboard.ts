import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  SearchExpression,
  type Alarm,
  type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import { CODE_DIMENSION, DEPLOYMENT_DIMENSION, METRICS_NAMESPACE, type MetricName } from '../core/model/metrics.ts';
import { measured, type Watched } from './alarms.ts';

/** Units of a dashboard's width: 24 make a row. */
const THIRD = 8;

/** Everything there is to see of a deployment: what it does for its users on top, what it stands on below. */
export function createDashboard(scope: Construct, watched: Watched & { ledger: Table }, alarms: Alarm[]): Dashboard {
  const { functions, http, tickets, deadLetters, ledger, deployment } = watched;
  const { api, status, planner, worker, sweeper } = functions;
  const own = (name: MetricName, statistic?: string) => measured(deployment, name, statistic);
  const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
    new GraphWidget({
      title,
      left,
      right,
      width: THIRD,
      liveData: true,
      leftYAxis: { min: 0 },
      rightYAxis: { min: 0 },
    });

  const dimensions = [METRICS_NAMESPACE, DEPLOYMENT_DIMENSION, CODE_DIMENSION].join();
  const failuresByCode = new SearchExpression({
    expression: `SEARCH('{${dimensions}} MetricName="FilesFailed" ${DEPLOYMENT_DIMENSION}="${deployment}"', 'Sum')`,
  });
  return new Dashboard(scope, 'Dashboard', {
    defaultInterval: Duration.hours(3),
    widgets: [
      [new AlarmStatusWidget({ title: 'Alarms', alarms, width: 24, height: 3 })],
      [
        graph('Files', [own('FilesStored'), own('FilesFailed')], [own('BytesStored')]),
        graph('Failures by code', [failuresByCode]),
        graph('Source latency', [own('SourceLatency', 'p50'), own('SourceLatency', 'p95')]),
      ],
      [
        graph('Retries and checkpoints', [own('Retries'), own('Checkpoints')]),
        graph('Crashes and lost leases', [own('Crashes'), own('LeasesLost')]),
        graph('Sweeper', [own('SweeperTickets'), own('SilentBatches'), own('ClosedBatches')]),
      ],
      [
        graph('Workers', [worker.metric('ConcurrentExecutions', { statistic: 'Maximum' })], [worker.metricDuration()]),
        graph("Workers' errors and throttles", [worker.metricErrors(), worker.metricThrottles()]),
        graph("Workers' memory", [own('WorkerMemoryPeak')]),
      ],
      [
        graph('Tickets', [
          tickets.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
          tickets.metricApproximateNumberOfMessagesNotVisible({ statistic: 'Maximum' }),
          deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', label: 'Dead letters' }),
        ]),
        graph(
          'API',
          [http.metricCount(), http.metricClientError(), http.metricServerError()],
          [http.metricLatency({ statistic: 'p95' })],
        ),
        graph(
          'Errors of the other functions',
          [api, status, planner, sweeper].map((each) => each.metricErrors()),
        ),
      ],
      [
        graph(
          'Table',
          [ledger.metricConsumedReadCapacityUnits(), ledger.metricConsumedWriteCapacityUnits()],
          [ledger.metric('ReadThrottleEvents'), ledger.metric('WriteThrottleEvents')].map((metric) =>
            metric.with({ statistic: 'Sum' }),
          ),
        ),
      ],
    ],
  });
}
