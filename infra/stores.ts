import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { BlockPublicAccess, Bucket, BucketEncryption, type LifecycleRule } from 'aws-cdk-lib/aws-s3';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { LIST_KEPT_MS } from '../core/model/limits.ts';

/** Where lists lie that were uploaded; `core/model/layout.ts` says the same. */
const LISTS_PREFIX = 'lists/';
/** Longer than any batch may take, so that no state goes before its batch has ended. */
const STATE_EXPIRY = Duration.days(90);
/** What a killed worker left of an upload goes after this; longer than the 7 days that a batch has by default. */
const UPLOAD_EXPIRY = Duration.days(8);
/** The longest there is: what waits in the queue through an outage, or failed for good, is there to be looked at. */
const TICKET_RETENTION = Duration.days(14);
/** The most there is. A ticket is received once per turn; the worker replaces it long before. */
const MAX_RECEIVES = 1000;

/** The table of batch and shard records. It stays when the stack is deleted. */
export function createLedger(scope: Construct): Table {
  return new Table(scope, 'Ledger', {
    partitionKey: { name: 'pk', type: AttributeType.STRING },
    sortKey: { name: 'sk', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: 'ttl',
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    removalPolicy: RemovalPolicy.RETAIN,
  });
}

/** Manifests, results and the like, and uploaded lists. */
export function createStateBucket(scope: Construct): Bucket {
  return createBucket(scope, 'State', [
    { expiration: STATE_EXPIRY },
    { prefix: LISTS_PREFIX, expiration: Duration.millis(LIST_KEPT_MS) },
  ]);
}

/** The downloaded files. */
export function createFilesBucket(scope: Construct): Bucket {
  return createBucket(scope, 'Files', [{}]);
}

/** A private bucket. It stays, with all that is in it, when the stack is deleted. */
function createBucket(scope: Construct, id: string, [first, ...others]: LifecycleRule[]): Bucket {
  return new Bucket(scope, id, {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    lifecycleRules: [{ ...first, abortIncompleteMultipartUploadAfter: UPLOAD_EXPIRY }, ...others],
    removalPolicy: RemovalPolicy.RETAIN,
  });
}

/** The queue of tickets, and the one for tickets that were received too often. */
export function createTickets(scope: Construct, visibilityTimeout: Duration): Queue {
  const common = { retentionPeriod: TICKET_RETENTION, encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true };
  const deadLetters = new Queue(scope, 'DeadTickets', common);
  return new Queue(scope, 'Tickets', {
    ...common,
    visibilityTimeout,
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIVES },
  });
}
