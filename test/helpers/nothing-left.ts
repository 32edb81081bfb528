import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished } from 'vitest';

/**
 * Set up before every test file: what a test leaves open fails it, be it a socket, a listener, a thread or a process; what
 * a file leaves that keeps its process alive, a timer say, fails the file. What threads and processes open themselves is not
 * seen here, and is gone with them. Rejections and exceptions that nobody handles fail any run by themselves.
 */

/** How often it is looked at what may be about to end: the other end of a connection hears of it a little later. */
const LOOKS = 1000;
const LOOK_MS = 10;

const sockets = new Set<Socket>();
const servers = new Set<Server>();
const threads = new Set<Worker>();
const processes = new Set<ChildProcess>();
subscribe('net.client.socket', (message) => void sockets.add((message as { socket: Socket }).socket));
subscribe(
  'tracing:net.server.listen:asyncStart',
  (message) => void servers.add((message as { server: Server }).server),
);
subscribe('worker_threads', (message) => void threads.add((message as { worker: Worker }).worker));
subscribe('child_process', (message) => void processes.add((message as { process: ChildProcess }).process));

function open() {
  return {
    sockets: [...sockets].filter((one) => !one.destroyed),
    servers: [...servers].filter((one) => one.listening),
    threads: [...threads].filter((one) => one.threadId !== -1),
    processes: [...processes].filter((one) => one.exitCode === null && one.signalCode === null),
  };
}

/** Compares once all is as it should be, or will not be. */
async function expectSoon(look: () => unknown, expected: unknown): Promise<void> {
  const wanted = JSON.stringify(expected);
  for (let looks = 0; looks < LOOKS && JSON.stringify(look()) !== wanted; looks++) {
    await setTimeout(LOOK_MS);
    await setImmediate(); // the timer itself is gone then
  }
  expect(look()).toEqual(expected);
}

beforeEach(() => {
  for (const one of sockets) if (one.destroyed) sockets.delete(one); // there are files that open thousands
  const before = open();
  const ports = before.servers.map((server) => (server.address() as AddressInfo).port);
  /** What is there now and was not before; a connection kept to a server of the whole file is the file's. */
  const left = () => {
    const now = open();
    const toOthers = (one: Socket) => !ports.includes(one.remotePort ?? 0);
    return {
      sockets: now.sockets.filter((one) => !before.sockets.includes(one) && toOthers(one)).length,
      servers: now.servers.filter((one) => !before.servers.includes(one)).length,
      threads: now.threads.filter((one) => !before.threads.includes(one)).length,
      processes: now.processes.filter((one) => !before.processes.includes(one)).length,
    };
  };
  // Registered first, so that it runs after all that the test has registered.
  onTestFinished(() => expectSoon(left, { sockets: 0, servers: 0, threads: 0, processes: 0 }));
});

/** What keeps this process alive: handles, requests and timers, by name; not those that say they do not. */
const alive = () => [...process.getActiveResourcesInfo(), ...open().threads.map(() => 'Thread')];
let before: string[];
// Any timer that is there now is the test runner's, and gone soon.
beforeAll(() => void (before = alive().filter((name) => name !== 'Timeout')));
// Registered first, so that it runs after all others.
afterAll(() => expectSoon(() => beyond(before, alive()), []));

/** What is there now more often than before. */
function beyond(before: readonly string[], now: readonly string[]): string[] {
  const known = [...before];
  return now.filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}
