import type { Prices } from './prices.ts';
import type { Usage } from './usage.ts';

export interface Cost {
  dollars: number;
  /** Dollars by service. */
  parts: { lambda: number; s3: number; dynamodb: number; sqs: number };
  region: string;
  pricesOf: string;
  leftOut: string[];
}

/** What costs money too, and depends on what nobody here knows. */
const LEFT_OUT = [
  'data transfer, which from the internet into a region is free, and NAT gateways',
  'storage of files and state',
  'requests of the API and of who reads the files',
  'logs, KMS, free tiers, discounts',
];

/** What a usage costs. */
export function costOf(usage: Usage, prices: Prices): Cost {
  const lambda = usage.gbSeconds * prices.lambdaGbSecond + usage.turns * prices.lambdaRequest;
  const s3 = usage.s3Writes * prices.s3Write + usage.s3Reads * prices.s3Read;
  const dynamodb = usage.recordWrites * prices.dynamoWrite + usage.recordReads * prices.dynamoRead;
  const sqs = usage.sqsRequests * prices.sqsRequest;
  return {
    dollars: round(lambda + s3 + dynamodb + sqs),
    parts: { lambda: round(lambda), s3: round(s3), dynamodb: round(dynamodb), sqs: round(sqs) },
    region: prices.region,
    pricesOf: prices.date,
    leftOut: LEFT_OUT,
  };
}

/** To a millionth of a dollar. */
function round(dollars: number): number {
  return Math.round(dollars * 1e6) / 1e6;
}
