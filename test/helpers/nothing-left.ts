import { subscribe } from 'node:diagnostics_channel';
import type { Server, Socket } from 'node:net';
import { beforeEach, expect, onTestFinished } from 'vitest';

/** Tests that open connections themselves, to sources that break them in every way. */
const WATCHED = /\/test\/integration\/(download|faults)\//;

/**
 * Set up before every test file: what a watched test leaves open fails it. Rejections and exceptions that nobody handles
 * fail any run by themselves.
 */
if (WATCHED.test(expect.getState().testPath ?? '')) {
  const sockets: Socket[] = [];
  const servers: Server[] = [];
  subscribe('net.client.socket', (message) => void sockets.push((message as { socket: Socket }).socket));
  subscribe('tracing:net.server.listen:asyncStart', (message) => {
    servers.push((message as { server: Server }).server);
  });
  beforeEach(() => {
    // Registered first, so that it runs after all that the test has registered.
    onTestFinished(() => {
      const left = {
        sockets: sockets.filter((one) => !one.destroyed),
        servers: servers.filter((one) => one.listening),
      };
      sockets.length = servers.length = 0;
      expect({ sockets: left.sockets.length, servers: left.servers.length }).toEqual({ sockets: 0, servers: 0 });
    });
  });
}
