import { Metrics } from '@aws-lambda-powertools/metrics';
import type { FailureCode } from '../core/model/failure.ts';
import {
  CODE_DIMENSION,
  DEPLOYMENT_DIMENSION,
  METRICS,
  METRICS_NAMESPACE,
  type MetricName,
} from '../core/model/metrics.ts';
import type { Meter } from '../core/ports/meter.ts';

/** CloudWatch knows minutes; a line more often would cost its bytes and tell nothing. */
const LINE_MS = 60_000;
/** Values of one metric in a line: CloudWatch takes 100, and Powertools begins another line then. */
const MAX_VALUES = 99;

/** A function's metrics. */
export interface FunctionMeter {
  record: Meter;
  /** Writes down what was recorded since the last line, if anything was. */
  flush: () => void;
}

/** Values of one metric, drawn with equal chance from all that came. */
interface Sample {
  seen: number;
  values: number[];
}

/**
 * Writes metrics to the standard output in CloudWatch's embedded metric format, by Powertools: counts added up, of other
 * values a sample. One line a minute while something is recorded, and what is left when asked to; one more for each code
 * of failures, since a line has one value of a dimension.
 */
export function createMeter(deployment: string, now: () => number, random: () => number): FunctionMeter {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE });
  // Powertools' own would be a part of every metric's name.
  metrics.clearDefaultDimensions();
  metrics.setDefaultDimensions({ [DEPLOYMENT_DIMENSION]: deployment });
  const sums = new Map<MetricName, number>();
  const failures = new Map<FailureCode, number>();
  const samples = new Map<MetricName, Sample>();
  let since: number | undefined;

  function record(metric: MetricName, value: number, code?: FailureCode): void {
    since ??= now();
    if (METRICS[metric].statistic !== 'Sum') take(metric, value);
    else sums.set(metric, (sums.get(metric) ?? 0) + value);
    if (code !== undefined) failures.set(code, (failures.get(code) ?? 0) + value);
    if (now() - since >= LINE_MS) flush();
  }

  /** Algorithm R: whatever number of values comes, each is among those kept with the same chance. */
  function take(metric: MetricName, value: number): void {
    const sample = samples.get(metric) ?? { seen: 0, values: [] };
    samples.set(metric, sample);
    const at = sample.seen < MAX_VALUES ? sample.seen : Math.floor(random() * (sample.seen + 1));
    sample.seen += 1;
    if (at < MAX_VALUES) sample.values[at] = value;
  }

  function flush(): void {
    if (since === undefined) return;
    for (const [metric, sum] of sums) metrics.addMetric(metric, METRICS[metric].unit, sum);
    for (const [metric, { values }] of samples) {
      for (const value of values) metrics.addMetric(metric, METRICS[metric].unit, value);
    }
    metrics.publishStoredMetrics();
    for (const [code, n] of failures) {
      metrics.addDimension(CODE_DIMENSION, code);
      metrics.addMetric('FilesFailed', METRICS.FilesFailed.unit, n);
      metrics.publishStoredMetrics();
    }
    for (const recorded of [sums, failures, samples]) recorded.clear();
    since = undefined;
  }

  return { record, flush };
}
