import { readFile } from 'node:fs/promises';
import { RemovalPolicy } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { readSettings, readStackSettings, SettingsError, type DownburstStackProps } from '../../infra/settings.ts';

const PUBLIC = { type: 'public', anyoneMayStoreFilesAtMyExpense: true };

/** What is said of props: a line per problem. */
function problems(props: object): string[] {
  try {
    readStackSettings(props);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const [first, ...lines] = error.message.split('\n');
    expect(first).toBe('Downburst cannot be deployed like this (docs/deploy.md, "Settings"):');
    return lines.map((line) => line.trim());
  }
}

describe('settings', () => {
  it('need not be given', () => {
    expect(readSettings({})).toEqual({
      filesPrefix: '',
      stateExpiryDays: 90,
      maxConcurrency: 100,
      workerMemoryMb: 1769,
      maxConnectionsPerHost: 256,
      maxOpenBatches: 20,
      allowedNetworks: [],
      authorisation: { type: 'iam' },
      logRetentionDays: 30,
      removalPolicy: RemovalPolicy.RETAIN,
      tracing: false,
    });
  });

  it.each<[object, string]>([
    [{ filesBucket: 'My_Bucket' }, "filesBucket needs a bucket, or the name of one, not 'My_Bucket'."],
    [{ filesBucket: {} }, 'filesBucket needs a bucket, or the name of one, not {}.'],
    [{ filesPrefix: 'downloads' }, 'filesPrefix does not end with /.'],
    [{ filesPrefix: '/downloads/' }, 'filesPrefix starts with /; keys are relative.'],
    [{ filesPrefix: 'a/../b/' }, 'filesPrefix has the segment ...'],
    [{ filesPrefix: 'a*/' }, 'filesPrefix has a *, ? or $, which mean something else in a policy.'],
    [{ filesPrefix: '${aws:username}/' }, 'filesPrefix has a *, ? or $, which mean something else in a policy.'],
    [{ filesPrefix: 7 }, "filesPrefix needs folders like 'downloads/', not 7."],
    [{ filesKeyArn: 'my-key' }, "filesKeyArn needs a key's ARN, not 'my-key'."],
    // The longest batch has 60 days.
    [{ stateExpiryDays: 60 }, 'stateExpiryDays needs a whole number from 61 to 36,500, not 60.'],
    [{ maxConcurrency: 1 }, 'maxConcurrency needs a whole number from 2 to 1,000, not 1.'],
    [{ maxConcurrency: '100' }, "maxConcurrency needs a whole number from 2 to 1,000, not '100'."],
    [{ workerMemoryMb: 512 }, 'workerMemoryMb needs a whole number from 1,024 to 10,240, not 512.'],
    [{ maxConnectionsPerHost: 5000 }, 'maxConnectionsPerHost needs a whole number from 1 to 256, not 5000.'],
    [{ maxOpenBatches: 1.5 }, 'maxOpenBatches needs a whole number from 1 to 1,000, not 1.5.'],
    [{ allowedNetworks: '10.0.0.0/8' }, "allowedNetworks needs a list of networks like 10.1.0.0/16, not '10.0.0.0/8'."],
    [{ allowedNetworks: ['10.0.0.0'] }, "allowedNetworks[0] needs networks like 10.1.0.0/16, not '10.0.0.0'."],
    [
      { allowedNetworks: ['10.0.0.0/8', '127.0.0.1/32'] },
      "allowedNetworks[1] must leave loopback, link-local and metadata addresses out, which '127.0.0.1/32' does not.",
    ],
    [
      { allowedNetworks: ['0.0.0.0/0'] },
      "allowedNetworks[0] must leave loopback, link-local and metadata addresses out, which '0.0.0.0/0' does not.",
    ],
    [
      { allowedNetworks: ['169.254.169.254/32'] },
      "allowedNetworks[0] must leave loopback, link-local and metadata addresses out, which '169.254.169.254/32' does not.",
    ],
    [{ authorisation: 'none' }, "authorisation needs the type 'iam', 'jwt' (with issuer and audience) or 'public'."],
    [
      { authorisation: { type: 'none' } },
      "authorisation.type needs the type 'iam', 'jwt' (with issuer and audience) or 'public'.",
    ],
    [
      { authorisation: { type: 'public' } },
      'authorisation.anyoneMayStoreFilesAtMyExpense needs true, in so many words, not nothing.',
    ],
    [
      { authorisation: { type: 'jwt', issuer: 'https://id.example' } },
      'authorisation.audience needs a list of audiences, as the issuer writes them into aud or client_id, not nothing.',
    ],
    [
      { authorisation: { type: 'jwt', issuer: 'https://id.example', audience: [] } },
      'authorisation.audience needs audiences, as the issuer writes them into aud or client_id, one at least.',
    ],
    [
      { authorisation: { type: 'jwt', issuer: 'id.example', audience: ['a'] } },
      "authorisation.issuer needs the https URL of an issuer, not 'id.example'.",
    ],
    [{ authorisation: { type: 'iam', issuer: 'https://id.example' } }, 'authorisation.issuer is no setting.'],
    [{ cors: '*' }, "cors needs an object like { origins: […] }, not '*'."],
    [{ cors: { origins: [] } }, 'cors.origins needs origins, one at least.'],
    [
      { cors: { origins: ['https://app.example/'] } },
      "cors.origins[0] needs an origin like https://app.example.com, or *, not 'https://app.example/'.",
    ],
    // Requests carry no cookies, whose permission would be dangerous together with `*`.
    [{ cors: { origins: ['*'], allowCredentials: true } }, 'cors.allowCredentials is no setting.'],
    [{ alarmTopic: 'my-topic' }, "alarmTopic needs a topic, or the ARN of one, not 'my-topic'."],
    [{ alarmEmail: 'me' }, "alarmEmail needs an e-mail address, not 'me'."],
    [
      { alarmTopic: 'arn:aws:sns:eu-central-1:123456789012:pages', alarmEmail: 'me@example.com' },
      'alarmEmail does not go with alarmTopic; subscribe the address to that topic, and leave it out.',
    ],
    [{ removalPolicy: 'snapshot' }, "removalPolicy needs 'retain' or 'destroy', not 'snapshot'."],
    [{ vpc: 'vpc-0123abcd' }, "vpc needs a VPC, or { vpcId: 'vpc-…', subnetIds: ['subnet-…'] }, not 'vpc-0123abcd'."],
    [
      { securityGroups: ['sg-0123abcd'] },
      'vpcSubnets and securityGroups are of a VPC; give vpc, too, or leave them out.',
    ],
    [
      { vpc: { vpcId: 'vpc-0123abcd', subnetIds: ['subnet-0123abcd'] }, vpcSubnets: {} },
      'vpcSubnets does not go with vpc.subnetIds, which says the same; leave one of them out.',
    ],
    [
      { filesKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/0123-abcd' },
      'filesKeyArn goes with a filesBucket that is given by its name; leave it out.',
    ],
    [
      { authorisation: PUBLIC, allowedNetworks: ['10.0.0.0/8'] },
      'allowedNetworks does not go with public authorisation: anyone could read what is in them; use iam or jwt.',
    ],
    [{ tracing: 'yes' }, "tracing needs true or false, not 'yes'."],
    [{ terminationProtection: 1 }, 'terminationProtection needs true or false, not 1.'],
    [{ tags: 'media' }, "tags needs an object like { team: 'media' }, not 'media'."],
    [{ maxConcurency: 100 }, 'maxConcurency is no setting.'],
  ])('that are wrong are named, with what would be right: %j', (props, problem) => {
    expect(problems(props)).toEqual([problem]);
  });

  it('that are wrong are named all at once', () => {
    expect(problems({ maxConcurrency: 0, filesPrefix: 'a', stage: 'x', region: 'y' })).toEqual([
      'filesPrefix does not end with /.',
      'maxConcurrency needs a whole number from 2 to 1,000, not 0.',
      'stage and region are no settings.',
    ]);
  });

  it('have log retentions that CloudWatch has', () => {
    expect(problems({ logRetentionDays: 31 })).toEqual([
      expect.stringMatching(/^logRetentionDays needs one of 1, 3, 5, 7, 14, 30, .*, 9999, not 31\.$/),
    ]);
  });
});

describe('docs/deploy.md', async () => {
  const page = await readFile(new URL('../../docs/deploy.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('\n## Settings\n');
  const rows = new Map(
    [...section.matchAll(/^\| `(\w+)` +\|.*\| (.+?) +\|$/gm)].map(([, name, given]) => [name, given]),
  );

  it('has every setting', () => {
    const names: Record<keyof DownburstStackProps, true> = {
      filesBucket: true,
      filesKeyArn: true,
      filesPrefix: true,
      stateExpiryDays: true,
      maxConcurrency: true,
      workerMemoryMb: true,
      maxConnectionsPerHost: true,
      maxOpenBatches: true,
      allowedNetworks: true,
      authorisation: true,
      cors: true,
      alarmTopic: true,
      alarmEmail: true,
      logRetentionDays: true,
      removalPolicy: true,
      vpc: true,
      vpcSubnets: true,
      securityGroups: true,
      tracing: true,
      terminationProtection: true,
      tags: true,
    };
    expect([...rows.keys()].sort()).toEqual(Object.keys(names).sort());
  });

  it('says what settings are if they are not given', () => {
    const scalars = Object.entries(readStackSettings({})).filter(
      ([, value]) => typeof value !== 'object' && value !== '',
    );
    expect(scalars.length).toBeGreaterThan(5);
    for (const [name, value] of scalars)
      expect([name, rows.get(name)]).toEqual([name, JSON.stringify(value).replaceAll('"', '')]);
  });
});
