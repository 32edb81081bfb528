/**
 * Checks on a service that works, a deployment above all, what README.md and docs/api.md promise, by a few small batches.
 *
 *     npm run smoke -- --api https://abcdefghij.execute-api.eu-central-1.amazonaws.com
 *
 * The exit code is 0 if all of it holds, 1 if something does not, and 2 if nothing could be checked.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { connect } from './smoke/connection.ts';
import { NotDownburstError, smoke } from './smoke/run.ts';

const USAGE = `npm run smoke -- --api URL [--urls FILE] [--region REGION] [--token JWT]

  --api URL        the service; requests to API Gateway's own names are signed with your AWS credentials
  --urls FILE      a list of public files, one URL a line, that do not change; default: some RFCs
  --region REGION  signs requests for this region, for a domain name of your own
  --token JWT      sent as bearer token, to a deployment that asks for one`;

const URLS = ['rfc9110', 'rfc9457', 'rfc5861'].map((name) => `https://www.rfc-editor.org/rfc/${name}.txt`);

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = {
      api: { type: 'string' },
      urls: { type: 'string' },
      region: { type: 'string' },
      token: { type: 'string' },
    } as const;
    const { urls: file, api, ...flags } = parseArgs({ options }).values;
    if (api === undefined || !URL.canParse(api)) throw new Error(`--api needs a URL.\n\n${USAGE}`);
    const text = file === undefined ? URLS.join('\n') : await readFile(file, 'utf8');
    const urls = [...new Set(text.split(/\r?\n/).map((line) => line.trim()))].filter((line) => line !== '');
    if (urls.length === 0) throw new Error(`${file} names no URL.`);
    return (await smoke({ api, send: connect({ api, ...flags }), urls, print: console.log })) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(error instanceof NotDownburstError ? error.message : `The check could not begin: ${error.message}`);
    return 2;
  }
}
