/** The CloudWatch namespace of everything that a deployment measures. */
export const METRICS_NAMESPACE = 'Downburst';
/** The dimension of every metric: which deployment of the account and region it is of. */
export const DEPLOYMENT_DIMENSION = 'deployment';
/** A second dimension, which `FilesFailed` has besides: the failure code. */
export const CODE_DIMENSION = 'code';

interface Metric {
  /** CloudWatch's name of the unit. */
  unit: 'Count' | 'Bytes' | 'Milliseconds';
  /** The statistic that says something: counts are summed up, of the others each value stands for itself. */
  statistic: 'Sum' | 'Maximum' | 'p95';
  meaning: string;
}

/** Everything that a deployment measures. Names and units are stable: dashboards and alarms go by them. */
export const METRICS = {
  FilesStored: { unit: 'Count', statistic: 'Sum', meaning: 'entries that ended as done' },
  BytesStored: { unit: 'Bytes', statistic: 'Sum', meaning: 'bytes of those' },
  FilesFailed: { unit: 'Count', statistic: 'Sum', meaning: 'entries that ended as failed, in all and by code' },
  Retries: { unit: 'Count', statistic: 'Sum', meaning: 'attempts that failed and will be made again' },
  Checkpoints: { unit: 'Count', statistic: 'Sum', meaning: 'checkpoints that landed' },
  LeasesLost: { unit: 'Count', statistic: 'Sum', meaning: 'turns that ended because their lease was lost' },
  Crashes: { unit: 'Count', statistic: 'Sum', meaning: 'leases taken over from workers that died' },
  WorkerMemoryPeak: { unit: 'Bytes', statistic: 'Maximum', meaning: "a worker's highest resident memory so far" },
  SourceLatency: { unit: 'Milliseconds', statistic: 'p95', meaning: "from a request to its response's headers" },
  SweeperTickets: {
    unit: 'Count',
    statistic: 'Sum',
    meaning: 'tickets sent in the place of lost ones, by each sweep; those that end a long wait are none of them',
  },
  SilentBatches: {
    unit: 'Count',
    statistic: 'Maximum',
    meaning: 'open batches without a checkpoint for 30 minutes, as each sweep sees them',
  },
  ClosedBatches: { unit: 'Count', statistic: 'Sum', meaning: 'batches whose end was told' },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
