import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { settingsInContext, stackName } from './context.ts';
import { SettingsError } from './settings.ts';
import { DownburstStack } from './stack.ts';

// Run by the CDK's command line, as cdk.json says.
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
try {
  new DownburstStack(app, stackName(app), settingsInContext(app));
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
