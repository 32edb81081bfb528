import { describe, expect, it } from 'vitest';
import { createMeter, type FunctionMeter } from '../../../lambdas/meter.ts';
import { fieldsOf, linesOf, outputOf } from '../../helpers/log.ts';

/** What CloudWatch makes of a line: the values of its metrics under the dimensions that it names. */
interface Line {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[];
  };
  [name: string]: unknown;
}

async function measured(work: (meter: FunctionMeter, clock: { now: number }) => void): Promise<Line[]> {
  const clock = { now: 0 };
  const output = await outputOf(() => {
    const meter = createMeter(
      'Downburst',
      () => clock.now,
      () => 0.5,
    );
    work(meter, clock);
    meter.flush();
  });
  return linesOf(output) as Line[];
}

describe("a function's metrics", () => {
  it('are a line of the embedded metric format, with counts added up and the values of others', async () => {
    const [line, ...others] = await measured(({ record }) => {
      record('FilesStored', 3);
      record('SourceLatency', 20);
      record('FilesStored', 4);
      record('SourceLatency', 30);
      record('SilentBatches', 0);
    });
    expect(others).toEqual([]);
    expect(line?._aws).toEqual({
      Timestamp: expect.any(Number) as number,
      CloudWatchMetrics: [
        {
          Namespace: 'Downburst',
          Dimensions: [['deployment']],
          Metrics: [
            { Name: 'FilesStored', Unit: 'Count' },
            { Name: 'SourceLatency', Unit: 'Milliseconds' },
            { Name: 'SilentBatches', Unit: 'Count' },
          ],
        },
      ],
    });
    expect(fieldsOf(line ?? {})).toEqual({
      deployment: 'Downburst',
      FilesStored: 7,
      SourceLatency: [20, 30],
      SilentBatches: 0,
    });
  });

  it('count failures in all and by code', async () => {
    const lines = await measured(({ record }) => {
      record('FilesFailed', 2, 'NOT_FOUND');
      record('FilesFailed', 1, 'TOO_LARGE');
      record('FilesFailed', 3, 'NOT_FOUND');
    });
    const told = lines.map((line) => [line._aws.CloudWatchMetrics[0]?.Dimensions, fieldsOf(line)]);
    expect(told).toEqual([
      [[['deployment']], { deployment: 'Downburst', FilesFailed: 6 }],
      [[['deployment', 'code']], { deployment: 'Downburst', code: 'NOT_FOUND', FilesFailed: 5 }],
      [[['deployment', 'code']], { deployment: 'Downburst', code: 'TOO_LARGE', FilesFailed: 1 }],
    ]);
  });

  it('are written once a minute, and not at all where there are none', async () => {
    const lines = await measured(({ record, flush }, clock) => {
      flush();
      for (let second = 0; second <= 150; second += 5) {
        clock.now = second * 1000;
        record('Checkpoints', 1);
      }
      flush();
      flush();
    });
    expect(lines.map(({ Checkpoints }) => Checkpoints)).toEqual([13, 13, 5]);
  });

  it('keep a sample of many values, so that a line stays small', async () => {
    const [line, ...others] = await measured(({ record }) => {
      for (let i = 1; i <= 1000; i++) record('SourceLatency', i);
    });
    expect(others).toEqual([]);
    const values = line?.SourceLatency as number[];
    expect(values).toHaveLength(99);
    // The later ones, too.
    expect(Math.max(...values)).toBeGreaterThan(99);
  });
});
