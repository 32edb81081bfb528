import type { FailureCode } from '../model/failure.ts';
import type { MetricName } from '../model/metrics.ts';

/**
 * Takes what happened, for the operator's metrics: a number to be added up or one value of many, as the metric's
 * statistic says. A code goes with `FilesFailed` only. It never throws, and is cheap enough for every attempt.
 */
export type Meter = (metric: MetricName, value: number, code?: FailureCode) => void;
