import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { acceptWildcards } from './findings.ts';
import type { FunctionName } from './functions.ts';
import type { FilesBucket } from './settings.ts';

const WHY_WILDCARDS = 'Keys are made of ids and URLs, which nobody knows before; the grant ends at the prefix.';

export interface Stores {
  ledger: Table;
  tickets: Queue;
  state: Bucket;
  files: FilesBucket;
  /** What every key in `files` begins with. */
  filesPrefix: string;
}

/** Gives each function the actions that it uses, on what it uses them. */
export function grantStores(functions: Record<FunctionName, IFunction>, stores: Stores): void {
  const { ledger, tickets, state, files, filesPrefix } = stores;
  const { api, status, planner, worker, sweeper } = functions;

  const allow = (grantees: IFunction[], actions: string[], resources: string[], conditions = {}) => {
    for (const grantee of grantees) {
      grantee.addToRolePolicy(new PolicyStatement({ actions, resources, conditions }));
      if (grantee.role) acceptWildcards(grantee.role, resources, WHY_WILDCARDS);
    }
  };
  /**
   * Without it S3 answers 403 for what is not there. `IfExists`, since only a listing names a prefix: a condition that
   * wants one may not hold for the look at a single key.
   */
  const list = (grantees: IFunction[], bucket: FilesBucket, prefix: string) => {
    allow(grantees, ['s3:ListBucket'], [bucket.bucketArn], { StringLikeIfExists: { 's3:prefix': `${prefix}*` } });
  };
  const readers = [api, status, planner, worker, sweeper];
  const writers = [api, planner, worker, sweeper];
  /** Whoever may finish a batch. */
  const closers = [api, planner, worker, sweeper];

  allow(readers, ['dynamodb:GetItem', 'dynamodb:Query'], [ledger.tableArn]);
  allow(writers, ['dynamodb:PutItem'], [ledger.tableArn]);
  allow(closers, ['dynamodb:DeleteItem'], [ledger.tableArn]);

  allow(writers, ['sqs:SendMessage'], [tickets.queueArn]);
  allow([worker], ['sqs:ChangeMessageVisibility'], [tickets.queueArn]);
  // For Lambda, which receives in the worker's name.
  allow([worker], ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], [tickets.queueArn]);
  allow([sweeper], ['sqs:GetQueueAttributes'], [tickets.queueArn]);

  const bus = Stack.of(ledger).formatArn({ service: 'events', resource: 'event-bus', resourceName: 'default' });
  allow(closers, ['events:PutEvents'], [bus]);
  allow([api, sweeper], ['lambda:InvokeFunction'], [planner.functionArn]);

  const batches = state.arnForObjects('batches/*');
  const secrets = state.arnForObjects('secrets/*');
  const lists = state.arnForObjects('lists/*');
  allow(readers, ['s3:GetObject'], [batches]);
  list(readers, state, 'batches/');
  allow(closers, ['s3:PutObject', 's3:AbortMultipartUpload'], [batches]);
  // Also what the links allow that it signs.
  allow([api], ['s3:PutObject'], [lists]);
  allow([api, planner], ['s3:GetObject'], [lists]);
  list([api, planner], state, 'lists/');
  allow([api], ['s3:PutObject'], [secrets]);
  allow([worker], ['s3:GetObject'], [secrets]);
  allow(closers, ['s3:DeleteObject'], [secrets]);
  allow([worker], ['s3:DeleteObject'], [state.arnForObjects('batches/*/waiting/*')]);
  // Who deletes a batch, who repeats that, and who may have written what the deletion did not see.
  allow([api, sweeper, planner], ['s3:DeleteObject'], [batches]);

  const stored = files.arnForObjects(`${filesPrefix}*`);
  allow([worker], ['s3:GetObject', 's3:PutObject'], [stored]);
  // What entries of a cancelled batch have begun.
  allow([api, worker, sweeper], ['s3:AbortMultipartUpload'], [stored]);
  // What links to files allow is what their maker may do.
  allow([status], ['s3:GetObject'], [stored]);
  list([worker, status], files, filesPrefix);

  // Of a bucket that KMS encrypts; parts of an upload are read again when it is completed.
  const key = files.encryptionKey?.keyArn;
  if (key === undefined) return;
  allow([worker], ['kms:GenerateDataKey'], [key]);
  allow([worker, status], ['kms:Decrypt'], [key]);
}
