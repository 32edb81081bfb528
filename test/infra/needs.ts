/** A call of an AWS service, as the SDK knows it: `s3`, `PutObject`, and what went with it. */
export interface Call {
  service: string;
  command: string;
  input: Readonly<Record<string, unknown>>;
  /** The name of the error that was answered. */
  error?: string | undefined;
}

/** What a call has to be allowed: an action on a resource, here by the name that the tests give it. */
export interface Need {
  action: string;
  resource: string;
  /** What a listing is limited to. */
  prefix?: string | undefined;
}

/** Where an action has not the name of its command. */
const S3_ACTIONS: Record<string, string> = {
  HeadObject: 'GetObject',
  CreateMultipartUpload: 'PutObject',
  UploadPart: 'PutObject',
  CompleteMultipartUpload: 'PutObject',
  ListObjectsV2: 'ListBucket',
};
const S3_OWN_NAMES = ['AbortMultipartUpload', 'DeleteObject', 'GetObject', 'PutObject'];
const NOT_THERE = ['NoSuchKey', 'NotFound'];

/** What AWS's service authorization reference asks for a call. */
export function needsOf({ service, command, input, error = '' }: Call): Need[] {
  const text = (name: string) => String(input[name]);
  const last = (name: string) => text(name).split('/').at(-1) ?? '';
  switch (service) {
    case 'dynamo':
      return [{ action: `dynamodb:${command}`, resource: text('TableName') }];
    case 'sqs':
      // A batch of calls is allowed by the call.
      return [{ action: `sqs:${command.replace(/Batch$/, '')}`, resource: last('QueueUrl') }];
    case 'events':
      return [{ action: `events:${command}`, resource: 'event-bus/default' }];
    case 'lambda':
      return [{ action: 'lambda:InvokeFunction', resource: text('FunctionName') }];
  }
  const action = S3_ACTIONS[command] ?? (S3_OWN_NAMES.includes(command) ? command : undefined);
  if (service !== 's3' || action === undefined) throw new Error(`Nobody has said what ${service} ${command} needs.`);
  const bucket = text('Bucket');
  if (action === 'ListBucket') return [{ action: 's3:ListBucket', resource: bucket, prefix: text('Prefix') }];
  const key = text('Key');
  const need = { action: `s3:${action}`, resource: `${bucket}/${key}` };
  // Who may not list is answered 403 instead.
  return NOT_THERE.includes(error) ? [need, { action: 's3:ListBucket', resource: bucket, prefix: key }] : [need];
}
