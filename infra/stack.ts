import { CfnOutput, Stack, type App, type StackProps } from 'aws-cdk-lib';
import { Downburst, type DownburstProps } from './downburst.ts';

/** Downburst in a stack of its own, which says after a deployment where it is and how to call it. */
export class DownburstStack extends Stack {
  constructor(scope: App, id: string, props: StackProps & DownburstProps = {}) {
    super(scope, id, { description: 'Downburst: a serverless fan-out downloader', ...props });
    const { apiUrl, filesBucket } = new Downburst(this, 'Downburst', props);

    const firstCommand = [
      `curl --aws-sigv4 aws:amz:${this.region}:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`,
      // Left out for credentials that need none: curl would sign the empty header and then not send it.
      '${AWS_SESSION_TOKEN:+-Hx-amz-security-token:$AWS_SESSION_TOKEN}',
      `--json '{"name": "first", "urls": ["https://www.rfc-editor.org/rfc/rfc9110.txt"]}' ${apiUrl}/batches`,
    ];
    new CfnOutput(this, 'ApiUrl', { value: apiUrl });
    new CfnOutput(this, 'FilesBucket', { value: filesBucket.bucketName });
    new CfnOutput(this, 'FirstCommand', { value: firstCommand.join(' ') });
  }
}
