import { connect as connectTo, type ConnectionFlags } from '../../cli/connection.ts';

/** Sends a request to a path of the service, with what authorises it. */
export type Send = (
  method: string,
  path: string,
  init?: { headers?: Record<string, string>; body?: string },
) => Promise<Response>;

/** The service that the flags name, asked as the command `downburst` asks it. Errors: `UsageError`. */
export function connect(flags: ConnectionFlags): Send {
  const { base, fetch } = connectTo(flags);
  return (method, path, init) => fetch(new Request(base + path, { method, ...init }));
}
