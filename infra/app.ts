import { App } from 'aws-cdk-lib';
import { DownburstStack } from './stack.ts';

/** Run by the CDK's command line, as cdk.json says. */
new DownburstStack(new App(), 'Downburst');
