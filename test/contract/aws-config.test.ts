import { describe, expect, test } from 'vitest';
import { readConfig } from '../../adapters/aws/config.ts';
import { addressProblem } from '../../core/download/address-guard.ts';

const ENV = {
  DOWNBURST_TABLE: 'ledger',
  DOWNBURST_STATE_BUCKET: 'state',
  DOWNBURST_FILES_BUCKET: 'files',
  DOWNBURST_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/tickets',
};

test('the four names are enough', () => {
  expect(readConfig(ENV)).toEqual({
    deployment: 'Downburst',
    table: 'ledger',
    stateBucket: 'state',
    filesBucket: 'files',
    filesPrefix: '',
    queueUrl: ENV.DOWNBURST_QUEUE_URL,
    plannerFunction: '',
    maxConnectionsPerHost: 256,
    maxOpenBatches: 20,
    maxConcurrency: 100,
    workerMemoryMb: 1769,
    allowedNetworks: [],
  });
});

test('everything can be set', () => {
  const config = readConfig({
    ...ENV,
    DOWNBURST_DEPLOYMENT: 'Test/Downburst',
    DOWNBURST_FILES_PREFIX: 'teams/müller/',
    DOWNBURST_MAX_CONNECTIONS_PER_HOST: '32',
    DOWNBURST_WORKER_MEMORY_MB: '3008',
    DOWNBURST_ALLOWED_NETWORKS: '10.1.0.0/16, fd00:1::/32',
  });
  expect(config).toMatchObject({
    deployment: 'Test/Downburst',
    filesPrefix: 'teams/müller/',
    maxConnectionsPerHost: 32,
    workerMemoryMb: 3008,
  });
  expect(addressProblem('10.1.2.3', config.allowedNetworks)).toBeUndefined();
  expect(addressProblem('fd00:1::7', config.allowedNetworks)).toBeUndefined();
  expect(addressProblem('10.2.0.1', config.allowedNetworks)).toBeDefined();
});

test('all that is missing or wrong is named at once', () => {
  const env = {
    DOWNBURST_DEPLOYMENT: 'Prüfung',
    DOWNBURST_TABLE: '',
    DOWNBURST_FILES_BUCKET: 'files',
    DOWNBURST_QUEUE_URL: 'tickets',
    DOWNBURST_FILES_PREFIX: 'teams',
    DOWNBURST_MAX_CONNECTIONS_PER_HOST: '0',
    DOWNBURST_ALLOWED_NETWORKS: 'everything',
  };
  expect(() => readConfig(env)).toThrow(
    expect.objectContaining({
      name: 'ConfigError',
      message:
        "Downburst cannot start: DOWNBURST_DEPLOYMENT needs 1 to 255 visible ASCII characters, not 'Prüfung'; " +
        'DOWNBURST_TABLE is missing; DOWNBURST_STATE_BUCKET is missing; ' +
        'DOWNBURST_FILES_PREFIX does not end with /; DOWNBURST_QUEUE_URL is no URL; ' +
        "DOWNBURST_MAX_CONNECTIONS_PER_HOST needs a whole number from 1 to 256, not '0'; " +
        "DOWNBURST_ALLOWED_NETWORKS needs networks like 10.1.0.0/16, not 'everything'.",
    }),
  );
});

describe('networks that reach into the function itself are refused', () => {
  const networks = [
    '127.0.0.0/8',
    '127.0.0.1/32',
    '0.0.0.0/0',
    '0.0.0.0/8',
    '64.0.0.0/2',
    '169.254.100.0/24',
    '168.0.0.0/7',
    '::1/128',
    'fd00:ec2::254/128',
    'fd00::/8',
    '::/0',
    'fe80::1/64',
    '10.0.0.0/8,169.254.169.254/32',
  ];

  test.each(networks)('%s', (DOWNBURST_ALLOWED_NETWORKS) => {
    expect(() => readConfig({ ...ENV, DOWNBURST_ALLOWED_NETWORKS })).toThrow(
      'must leave loopback, link-local and metadata addresses out',
    );
  });
});

test.each(['/a/', 'a//', 'a/../b/', './', 'x/'.repeat(300)])('a prefix like %s is refused', (prefix) => {
  expect(() => readConfig({ ...ENV, DOWNBURST_FILES_PREFIX: prefix })).toThrow('DOWNBURST_FILES_PREFIX');
});
