import { spawn } from 'node:child_process';
import { Command, Option } from 'commander';
import { asStartError } from '../../local/embedded.ts';
import { createClient } from '../client.ts';
import { addConnectionOptions, connect, type ConnectionFlags } from '../connection.ts';
import { serveDashboard } from '../dashboard.ts';
import { EXIT } from '../exit.ts';
import { untilInterrupted } from '../interrupt.ts';
import { wholeNumber } from '../values.ts';

interface DashboardFlags extends ConnectionFlags {
  port: number;
  open?: true;
}

/** `downburst dashboard`: the page of a service, for this user's browser. */
export function dashboardCommand(): Command {
  const command = new Command('dashboard')
    .summary('shows a service in the browser')
    .description(
      'Serves the dashboard of a service on 127.0.0.1, at an address that is drawn at random, until Ctrl-C.\n' +
        'Whoever knows the address acts with your credentials: keep it to yourself.',
    )
    .addOption(
      new Option('--port <n>', 'port to listen on; 0 takes a free one')
        .default(0, 'a free one')
        .argParser(wholeNumber('--port', { min: 0, max: 65_535 })),
    )
    .option('--open', 'open it in the browser');
  return addConnectionOptions(command).action(dashboard);
}

async function dashboard(flags: DashboardFlags): Promise<void> {
  const connection = connect(flags);
  // What is wrong with the address or the credentials is told here, and not in the page.
  await createClient(connection).batches({ limit: 1 });
  const server = await serveDashboard(connection, flags.port).catch((error: unknown) => {
    throw asStartError(error, `Port ${flags.port}`, '--port');
  });
  const stopped = Promise.withResolvers<undefined>();
  untilInterrupted(() => stopped.resolve(undefined));
  process.stdout.write(`The dashboard of ${connection.base} is at

  ${server.url}

Whoever knows this address acts with your credentials: keep it to yourself.
Stop it: Ctrl-C.
`);
  if (flags.open) openInBrowser(server.url);
  await stopped.promise;
  await server.close();
  process.exit(EXIT.ok);
}

/** What opens a URL, by platform; others are taken for a Unix desktop. */
const OPENERS: Partial<Record<NodeJS.Platform, [command: string, ...args: string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

function openInBrowser(url: string): void {
  const [command, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  const child = spawn(command, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', () => process.stderr.write(`There is no ${command} to open it with; open the address yourself.\n`));
  child.unref();
}
