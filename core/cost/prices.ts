/** Dollars for what a deployment uses, without free tiers and discounts. */
export interface Prices {
  region: string;
  /** When they were looked up, as `2026-11-01`. */
  date: string;
  lambdaGbSecond: number;
  lambdaRequest: number;
  /** PUT, COPY, POST, LIST, and every call of a multipart upload. */
  s3Write: number;
  s3Read: number;
  /** Of up to 64 KiB. */
  sqsRequest: number;
  /** Of up to 1 KB. */
  dynamoWrite: number;
  /** Consistent, of up to 4 KB. */
  dynamoRead: number;
}

/** How a deployment is paid for. */
export interface Billing {
  prices: Prices;
  /** Memory of a worker, in MB. */
  workerMb: number;
}

const MILLION = 1e6;

/** AWS's list prices of S3 Standard, SQS standard queues, Lambda on arm64, DynamoDB on demand. */
export const AWS_PRICES: Prices = {
  region: 'us-east-1',
  date: '2026-11-01',
  lambdaGbSecond: 0.000_013_333_4,
  lambdaRequest: 0.2 / MILLION,
  s3Write: 5 / MILLION,
  s3Read: 0.4 / MILLION,
  sqsRequest: 0.4 / MILLION,
  dynamoWrite: 0.625 / MILLION,
  dynamoRead: 0.125 / MILLION,
};
