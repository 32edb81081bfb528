import type { LookupAddress } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, Socket, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  IDLE_CONNECTION_MS,
  MAX_IDLE_CONNECTIONS,
  MAX_RESPONSE_HEADER_BYTES,
  NEXT_ADDRESS_MS,
} from '../model/limits.ts';
import { addressProblem, type Network } from './address-guard.ts';

/** HTTP connections that lead nowhere but to allowed addresses, kept alive between requests. */
export interface Connections {
  /** A GET that is not sent yet; it connects to one of `addresses`, which must have been checked. */
  request: (url: URL, headers: OutgoingHttpHeaders, addresses: readonly LookupAddress[]) => ClientRequest;
  /** Closes the idle connections to this URL's host, so that its next request opens one of its own. */
  dropIdle: (url: URL) => void;
  /** Closes all connections, also those in use, and waits until they are closed. */
  close: () => Promise<void>;
}

/** What Node's defaults, and the flags that it was started with, would otherwise decide. */
const LIMITS = {
  maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
  insecureHTTPParser: false,
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
};

/**
 * Bytes of the one buffer that all connections read into. Node would make one of 64 KiB for each read, and leave it to the
 * garbage collector, which would run for the sake of these alone: every 200 reads.
 */
const READ_BYTES = 256 * 1024;

/** @param idleMs how long a connection is kept for a later request */
export function createConnections(allowedNetworks: readonly Network[], idleMs = IDLE_CONNECTION_MS): Connections {
  const open = new Set<Socket>();
  const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  /** The longest idle first. */
  const idle = new Set<Duplex>();
  const http = guarded(new HttpAgent({ keepAlive: true }));
  const https = guarded(new HttpsAgent({ keepAlive: true }));

  /** Every socket of the agent passes here once, when it connects: one that was checked stays checked. */
  function guarded<A extends HttpAgent>(agent: A): A {
    const connect = agent.createConnection.bind(agent) as (options: object, ...rest: unknown[]) => Socket;
    const keep = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => boolean;
    const reuse = agent.reuseSocket.bind(agent);
    agent.createConnection = (options: object, ...rest: unknown[]) => {
      const socket: Socket = connect({ ...options, onread: { buffer: readBuffer, callback: onRead } }, ...rest);
      open.add(socket);
      socket.once('connect', () => checkPeer(socket));
      socket.once('close', () => {
        open.delete(socket);
        idle.delete(socket);
      });
      return socket;

      /** As `node:http` expects it of a socket, whose buffer is its own again afterwards: the parser copies what is body. */
      function onRead(bytes: number): boolean {
        // What nobody asked for must not be taken for the next answer.
        if (!socket.emit('data', readBuffer.subarray(0, bytes))) socket.destroy();
        return true;
      }
    };
    agent.keepSocketAlive = (socket) => {
      if (!keep(socket)) return false;
      const [oldest] = idle;
      if (oldest !== undefined && idle.size >= MAX_IDLE_CONNECTIONS) oldest.destroy();
      idle.add(socket);
      // The agent closes one whose time is over while it is free.
      if (socket instanceof Socket) socket.setTimeout(idleMs);
      return true;
    };
    agent.reuseSocket = (socket, request) => {
      idle.delete(socket);
      if (socket instanceof Socket) socket.setTimeout(0);
      reuse(socket, request);
    };
    return agent;
  }

  function checkPeer(socket: Socket): void {
    const peer = socket.remoteAddress;
    const problem = peer === undefined ? undefined : addressProblem(peer, allowedNetworks);
    if (peer === undefined || problem) socket.destroy(problem); // without a peer it is closed already
  }

  function target(url: URL) {
    const secure = url.protocol === 'https:';
    const host = hostnameOf(url);
    return {
      secure,
      agent: secure ? https : http,
      host,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      // From the URL, not from a Host header that the user may have given. Addresses have none.
      ...(secure && { servername: isIP(host) === 0 ? host.replace(/\.$/, '') : '' }),
    };
  }

  return {
    request(url, headers, addresses) {
      const { secure, ...options } = target(url);
      const path = url.pathname + url.search;
      const send = secure ? httpsRequest : httpRequest;
      const request = send({ ...LIMITS, ...options, path, headers, lookup: answering(addresses) });
      request.maxHeadersCount = 0; // by bytes only: what is beyond a count is dropped in silence, be it Content-Encoding
      return request;
    },
    dropIdle(url) {
      const { agent, ...options } = target(url);
      for (const socket of agent.freeSockets[agent.getName(options)] ?? []) socket.destroy();
    },
    async close() {
      http.destroy();
      https.destroy();
      await Promise.all([...open].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    },
  };
}

/** A URL's host as resolvers and sockets take it: IPv6 addresses without brackets. */
export function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** A look-up that knows the answer. */
function answering(addresses: readonly LookupAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}
