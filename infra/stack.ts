import { CfnOutput, Stack, Tags } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Downburst } from './downburst.ts';
import { readStackSettings, type DownburstStackProps, type Settings } from './settings.ts';

/**
 * Downburst in a stack of its own, which says after a deployment where everything is and how to call it. Errors:
 * `SettingsError`, for props that are wrong.
 */
export class DownburstStack extends Stack {
  constructor(scope: Construct, id: string, props: DownburstStackProps = {}) {
    const { terminationProtection, tags, ...settings } = readStackSettings(props);
    super(scope, id, { description: 'Downburst: a serverless fan-out downloader', terminationProtection });
    for (const [key, value] of Object.entries(tags)) Tags.of(this).add(key, value);
    const downburst = new Downburst(this, 'Downburst', settings);
    const { apiUrl, filesBucket, stateBucket, invokePolicy, alarmTopic, dashboard } = downburst;

    const output = (name: string, value: string) => new CfnOutput(this, name, { value });
    output('ApiUrl', apiUrl);
    output('FilesBucket', filesBucket.bucketName);
    output('StateBucket', stateBucket.bucketName);
    output('AlarmTopic', alarmTopic.topicArn);
    output('DashboardUrl', consoleUrl(this.region, dashboard.dashboardName));
    if (invokePolicy) output('InvokePolicy', invokePolicy.managedPolicyArn);
    output('FirstCommand', firstCommand(this.region, apiUrl, settings.authorisation));
  }
}

function consoleUrl(region: string, dashboardName: string): string {
  return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${dashboardName}`;
}

function firstCommand(region: string, apiUrl: string, { type }: Settings['authorisation']): string {
  const authorisation = {
    iam: [
      ` --aws-sigv4 aws:amz:${region}:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`,
      // Left out for credentials that need none: curl would sign the empty header and then not send it.
      '${AWS_SESSION_TOKEN:+-Hx-amz-security-token:$AWS_SESSION_TOKEN}',
    ].join(' '),
    jwt: ' -H "authorization: Bearer $TOKEN"',
    public: '',
  }[type];
  const batch = '{"name": "first", "urls": ["https://www.rfc-editor.org/rfc/rfc9110.txt"]}';
  return `curl${authorisation} --json '${batch}' ${apiUrl}/batches`;
}
