import { Readable } from 'node:stream';
import type { AwsClients } from '../../adapters/aws/clients.ts';

/** One call of a client, with all that went over the wire for it. */
export interface WireCall {
  service: keyof AwsClients;
  /** As in `PutObject`. */
  command: string;
  /** The command's input without bodies. */
  input: Readonly<Record<string, unknown>>;
  /** Whoever's clients these are. */
  owner: string;
  attempts: WireAttempt[];
  /** The answer that the caller got. */
  output?: Record<string, unknown>;
  /** The name of the error that the caller got instead. */
  error?: string;
}

export interface WireAttempt {
  headers: Readonly<Record<string, string>>;
  /** Whether the service did what it was asked to, be it heard of or not. */
  landed: boolean;
}

/**
 * What happens to an attempt: the connection breaks before the service gets it, or after it has done it; or an answer
 * that the service never gave. The bytes of an answer may be replaced.
 */
export type Fault =
  | 'lose request'
  | 'lose answer'
  | { status: number; body: string; headers?: Record<string, string> }
  | { body: (whole: Readable) => Readable };

interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  /** An answer to a PUT has one only where it says something. */
  body: Readable | undefined;
}

export interface Wire {
  /** Listens to these clients from now on. */
  attach: (clients: AwsClients, owner?: string) => AwsClients;
  /** Asked about every attempt; set it to have faults. */
  fault: (call: WireCall) => Fault | undefined;
  /** Told of every attempt that the service has answered. */
  onAnswer: (call: WireCall) => void;
  /** Calls so far, in the order in which they began. */
  readonly calls: readonly WireCall[];
  /** Calls that are not over, pauses between their attempts included. */
  readonly underWay: number;
}

/**
 * Looks on, and puts faults, where the SDK's clients hand their requests to the socket: below retries, signing and the
 * parsing of answers, all of which are thus the real ones.
 */
export function createWire(): Wire {
  const calls: WireCall[] = [];
  const open = new Map<object, WireCall>();
  let underWay = 0;

  function attach(clients: AwsClients, owner = ''): AwsClients {
    for (const [name, client] of Object.entries(clients) as [keyof AwsClients, AwsClients['s3']][]) {
      const service = name === 'puts' ? 's3' : name;
      client.middlewareStack.add(
        (next, context) => async (args) => {
          const input = { ...args.input, Body: undefined };
          const command = String(context.commandName).replace(/Command$/, '');
          const call: WireCall = { service, command, input, owner, attempts: [] };
          calls.push(call);
          open.set(context, call);
          underWay += 1;
          try {
            const result = await next(args);
            call.output = result.output as unknown as Record<string, unknown>;
            return result;
          } catch (error) {
            call.error = error instanceof Error ? error.name : String(error);
            throw error;
          } finally {
            underWay -= 1;
          }
        },
        { step: 'initialize', priority: 'high', name: 'wireCall' },
      );
      client.middlewareStack.add(
        (next, context) => async (args) => {
          const call = open.get(context);
          if (!call) throw new Error('The wire does not know this call.');
          const attempt: WireAttempt = { headers: (args.request as WireAttempt).headers, landed: false };
          call.attempts.push(attempt);
          const fault = wire.fault(call);
          if (fault === 'lose request') throw connectionReset();
          if (typeof fault === 'object' && 'status' in fault) return { response: answerOf(fault) };
          const result = await next(args);
          const response = result.response as HttpAnswer;
          attempt.landed = response.statusCode < 300;
          wire.onAnswer(call);
          if (typeof fault === 'object') response.body = fault.body(response.body ?? Readable.from([]));
          if (fault !== 'lose answer') return result;
          response.body?.resume();
          throw connectionReset();
        },
        { step: 'deserialize', priority: 'low', name: 'wireAttempt' },
      );
    }
    return clients;
  }

  const wire: Wire = {
    attach,
    fault: () => undefined,
    onAnswer: () => undefined,
    calls,
    get underWay() {
      return underWay;
    },
  };
  return wire;
}

/** S3's and DynamoDB's ways of saying: not so fast. */
export const SLOW_DOWN = {
  status: 503,
  body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};
export const THROTTLED = {
  status: 400,
  body: '{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too fast"}',
  headers: { 'content-type': 'application/x-amz-json-1.0' },
};
export const S3_INTERNAL_ERROR = {
  status: 500,
  body: '<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>',
};

function answerOf({ status, body, headers = {} }: Extract<Fault, { status: number }>): HttpAnswer {
  return { statusCode: status, headers, body: Readable.from([Buffer.from(body)]) };
}

/** As the SDK's HTTP handler reports it. */
function connectionReset(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET', name: 'TimeoutError' });
}
