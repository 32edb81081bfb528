import { Annotations, Aspects, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  CfnBucket,
  HttpMethods,
  type BucketProps,
} from 'aws-cdk-lib/aws-s3';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { LISTS_PREFIX } from '../core/model/layout.ts';
import { LIST_KEPT_MS } from '../core/model/limits.ts';
import { accept } from './findings.ts';
import { LONGEST_BATCH_DAYS, type FilesBucket, type Settings } from './settings.ts';

/** What a killed worker left of an upload goes after this: longer than any batch can live, and go on with it. */
const UPLOAD_EXPIRY = Duration.days(LONGEST_BATCH_DAYS + 1);
/** How long a file that was replaced or deleted can be had back. */
const OLD_VERSION_EXPIRY = Duration.days(30);
/** The longest there is: what waits in the queue through an outage, or failed for good, is there to be looked at. */
const TICKET_RETENTION = Duration.days(14);
/** The most there is. A ticket is received once per turn; the worker replaces it long before. */
const MAX_RECEIVES = 1000;

/** The table of batch and shard records. */
export function createLedger(scope: Construct, { removalPolicy }: Settings): Table {
  return new Table(scope, 'Ledger', {
    partitionKey: { name: 'pk', type: AttributeType.STRING },
    sortKey: { name: 'sk', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: 'ttl',
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    removalPolicy,
  });
}

/**
 * Manifests, results and the like, and uploaded lists. It keeps no versions: an object is written once, and secrets
 * and lists that are deleted must be gone.
 */
export function createStateBucket(scope: Construct, settings: Settings): Bucket {
  return createBucket(scope, 'State', settings, {
    lifecycleRules: [
      { expiration: Duration.days(settings.stateExpiryDays), abortIncompleteMultipartUploadAfter: UPLOAD_EXPIRY },
      { prefix: LISTS_PREFIX, expiration: Duration.millis(LIST_KEPT_MS) },
    ],
    // A page uploads lists by links.
    ...allow(settings, HttpMethods.PUT),
  });
}

/**
 * The bucket of the downloaded files: the one that was given, or one of its own. That keeps versions for a while: batches
 * can replace each other's files, and somebody's mistake can be undone.
 */
export function filesBucketOf(scope: Construct, settings: Settings): FilesBucket {
  const { filesBucket: given, filesKeyArn } = settings;
  if (given !== undefined) {
    const bucket =
      typeof given !== 'string'
        ? given
        : Bucket.fromBucketAttributes(scope, 'Files', {
            bucketName: given,
            ...(filesKeyArn !== undefined && { encryptionKey: Key.fromKeyArn(scope, 'FilesKey', filesKeyArn) }),
          });
    warnOfUploadsKept(scope, bucket);
    return bucket;
  }
  return createBucket(scope, 'Files', settings, {
    versioned: true,
    lifecycleRules: [
      {
        abortIncompleteMultipartUploadAfter: UPLOAD_EXPIRY,
        noncurrentVersionExpiration: OLD_VERSION_EXPIRY,
        expiredObjectDeleteMarker: true,
      },
    ],
    // A page follows links to files.
    ...allow(settings, HttpMethods.GET, HttpMethods.HEAD),
  });
}

/** A private bucket. */
function createBucket(scope: Construct, id: string, { removalPolicy }: Settings, props: BucketProps): Bucket {
  const bucket = new Bucket(scope, id, {
    ...props,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    removalPolicy,
    // What is not empty cannot be deleted.
    autoDeleteObjects: removalPolicy === RemovalPolicy.DESTROY,
  });
  accept(
    bucket,
    'S1',
    "A line per request would cost more than many a request; CloudTrail's data events tell who needs to know.",
  );
  return bucket;
}

function allow({ cors }: Settings, ...allowedMethods: HttpMethods[]): Pick<BucketProps, 'cors'> {
  return cors ? { cors: [{ allowedOrigins: cors.origins, allowedMethods, allowedHeaders: ['*'] }] } : {};
}

/** Warns at synth, when all rules of the app's own buckets are there. Of other buckets nobody here knows the rules. */
function warnOfUploadsKept(scope: Construct, bucket: FilesBucket): void {
  Aspects.of(scope).add({
    visit(node) {
      if (node !== scope || endsUploads(bucket)) return;
      Annotations.of(scope).addWarningV2(
        'downburst:uploads-kept',
        `Nothing is known to end incomplete uploads in the bucket given as filesBucket, and what killed workers leave of ` +
          `large files is paid for until it is ended. Give it a lifecycle rule that aborts incomplete multipart uploads ` +
          `after ${UPLOAD_EXPIRY.toDays()} days.`,
      );
    },
  });
}

function endsUploads(bucket: FilesBucket): boolean {
  const resource = bucket.node.defaultChild;
  if (!(resource instanceof CfnBucket)) return false;
  const { rules = [] } = (Stack.of(resource).resolve(resource.lifecycleConfiguration) ?? {}) as {
    rules?: CfnBucket.RuleProperty[];
  };
  return rules.some(
    ({ abortIncompleteMultipartUpload, status }) => abortIncompleteMultipartUpload && status === 'Enabled',
  );
}

export interface TicketQueues {
  tickets: Queue;
  /** Where tickets go that were received too often. */
  deadLetters: Queue;
}

/** The queue of tickets, and the one for tickets that were received too often. */
export function createTickets(scope: Construct, visibilityTimeout: Duration): TicketQueues {
  const common = { retentionPeriod: TICKET_RETENTION, encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true };
  const deadLetters = new Queue(scope, 'DeadTickets', common);
  const tickets = new Queue(scope, 'Tickets', {
    ...common,
    visibilityTimeout,
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIVES },
  });
  return { tickets, deadLetters };
}
