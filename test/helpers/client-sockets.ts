import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Origin } from './origin.ts';

/** Every TCP socket that this process opens as a client from now on, until the running test ends. */
export function watchClientSockets(): Socket[] {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', onSocket);
  onTestFinished(() => void unsubscribe('net.client.socket', onSocket));
  return sockets;
}

/**
 * Whether both ends of every one of these connections have heard all that the other one said.
 *
 * @param deaf a connection without a peer is no reason to wait
 */
export function allIsSaid(sockets: readonly Socket[], origins: readonly Origin[], deaf = false): boolean {
  const log = origins.flatMap((origin) => origin.log);
  return sockets.every((socket) => {
    if (socket.destroyed) return true;
    const peer = log.findLast(({ port }) => port === socket.localPort);
    if (!peer) return deaf;
    const heard = socket.isPaused() || socket.bytesRead === peer.sent; // paused: the store is slower than the source
    return peer.open && heard && socket.bytesWritten === peer.received;
  });
}
