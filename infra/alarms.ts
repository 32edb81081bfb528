import { Duration, Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Alarm, ComparisonOperator, Metric, TreatMissingData, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic, type ITopic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { DEPLOYMENT_DIMENSION, METRICS, METRICS_NAMESPACE, type MetricName } from '../core/model/metrics.ts';
import type { FunctionName } from './functions.ts';
import type { Settings } from './settings.ts';

/** What is watched. */
export interface Watched {
  functions: Record<FunctionName, IFunction>;
  http: HttpApi;
  tickets: Queue;
  deadLetters: Queue;
  /** What tells this deployment's metrics from those of others in the same account and region. */
  deployment: string;
}

/** A metric that the functions measure themselves. */
export function measured(deployment: string, name: MetricName, statistic: string = METRICS[name].statistic): Metric {
  const dimensionsMap = { [DEPLOYMENT_DIMENSION]: deployment };
  return new Metric({ namespace: METRICS_NAMESPACE, metricName: name, dimensionsMap, statistic });
}

interface AlarmRule {
  /** The section of docs/operations.md that says what to do. */
  runbook: string;
  meaning: string;
  metric: IMetric;
  /** Goes off at so much, in one period; at less than 1 where silence is what is wrong. */
  atLeast?: number;
  /** In so many of the last periods. */
  periods?: [bad: number, of: number];
  silence?: true;
}

const FIVE_MINUTES = { statistic: 'Sum', period: Duration.minutes(5) };
/** What mends itself, as a function that crashed once does, is nobody's business at night. */
const LASTING: [number, number] = [2, 3];

function rulesOf({ functions, http, deadLetters, deployment }: Watched): Record<string, AlarmRule> {
  const { planner, worker, sweeper } = functions;
  return {
    DeadLetters: {
      runbook: 'dead-letters',
      meaning:
        'A ticket was received 1,000 times and given up; its shard stands still until the sweeper sends another.',
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
    },
    SilentBatch: {
      runbook: 'silent-batch',
      meaning: 'An open batch has made no checkpoint for 30 minutes.',
      metric: measured(deployment, 'SilentBatches'),
    },
    WorkerErrors: {
      runbook: 'worker-errors',
      meaning: 'Workers die or run out of time or memory: nothing else is an error of theirs.',
      metric: worker.metricErrors(FIVE_MINUTES),
      periods: LASTING,
    },
    WorkerThrottles: {
      runbook: 'worker-throttles',
      meaning: 'There are fewer concurrent executions in the account than workers want.',
      metric: worker.metricThrottles(FIVE_MINUTES),
      periods: LASTING,
    },
    SweeperFinds: {
      runbook: 'sweeper-finds',
      meaning: 'Tickets are lost again and again: the sweeper keeps sending new ones in their place.',
      metric: measured(deployment, 'SweeperTickets').with({ period: Duration.minutes(15) }),
      periods: [3, 4],
    },
    ApiErrors: {
      runbook: 'api-errors',
      meaning: 'The API answers with 5xx.',
      metric: http.metricServerError(FIVE_MINUTES),
      periods: LASTING,
    },
    PlannerErrors: {
      runbook: 'planner-errors',
      meaning: 'Planners of uploaded lists die; a list that kills five is rejected.',
      metric: planner.metricErrors({ statistic: 'Sum', period: Duration.hours(1) }),
      atLeast: 2,
    },
    SweeperErrors: {
      runbook: 'sweeper-errors',
      meaning: 'The sweeper fails: lost tickets stay lost and unfinished closings unfinished.',
      metric: sweeper.metricErrors(FIVE_MINUTES),
      periods: LASTING,
    },
    SweeperSilence: {
      runbook: 'sweeper-errors',
      meaning: 'The sweeper has not been started, once a minute as it should be, for ten.',
      metric: sweeper.metricInvocations(FIVE_MINUTES),
      periods: [2, 2],
      silence: true,
    },
  };
}

/** Alarms for what an operator has to look at, each with what it means and the section of the runbook. */
export function createAlarms(scope: Construct, watched: Watched, topic: ITopic): Alarm[] {
  return Object.entries(rulesOf(watched)).map(([id, rule]) => {
    const { runbook, meaning, metric, atLeast = 1, periods: [bad, of] = [1, 1], silence } = rule;
    const alarm = new Alarm(scope, `${id}Alarm`, {
      alarmDescription: `${meaning} Downburst ${watched.deployment}: docs/operations.md#${runbook}`,
      metric,
      threshold: atLeast,
      comparisonOperator: silence
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      datapointsToAlarm: bad,
      evaluationPeriods: of,
      treatMissingData: silence ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(topic));
    return alarm;
  });
}

/** Where alarms are sent: the topic that was given, or one of its own. */
export function alarmTopicOf(scope: Construct, { alarmTopic, alarmEmail }: Settings): ITopic {
  if (typeof alarmTopic === 'string') return Topic.fromTopicArn(scope, 'AlarmTopic', alarmTopic);
  if (alarmTopic) return alarmTopic;
  const topic = new Topic(scope, 'AlarmTopic', { enforceSSL: true });
  if (alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(alarmEmail));
  // A policy of its own, as it needs for TLS, takes the place of the one by which the account's alarms could publish.
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } },
    }),
  );
  return topic;
}
