import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { PutEventsRequest, PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';

export interface EventBus {
  url: string;
  /** What was published; times are seconds since the epoch, as they go over the wire. */
  published: (Omit<PutEventsRequestEntry, 'Time'> & { Time?: number })[];
  /** Does not take the next events, and says so as EventBridge does: within a 200. */
  refuse: (count: number) => void;
}

/** A server that takes EventBridge's PutEvents and nothing else. */
export async function startEventBus(atEnd: (end: () => void) => void): Promise<EventBus> {
  const published: EventBus['published'] = [];
  let refusals = 0;
  const server = createServer((request, response) => {
    const answer = async () => {
      if (request.headers['x-amz-target'] !== 'AWSEvents.PutEvents') throw new Error('not known here');
      const { Entries = [] } = (await json(request)) as PutEventsRequest;
      const results = Entries.map((entry) => {
        if (refusals-- > 0) return { ErrorCode: 'InternalFailure', ErrorMessage: 'try again' };
        published.push(entry as unknown as EventBus['published'][number]);
        return { EventId: String(published.length) };
      });
      const FailedEntryCount = results.filter((result) => 'ErrorCode' in result).length;
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify({ FailedEntryCount, Entries: results }));
    };
    answer().catch(() => response.writeHead(400).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    published,
    refuse: (count) => (refusals = count),
  };
}
