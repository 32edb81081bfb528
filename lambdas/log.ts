/** What the operator is told: one JSON line per event, with the fields of the lines that Lambda itself writes. */
export interface Log {
  info: (message: string, details: object) => void;
  warn: (message: string, details: object) => void;
  /** With the error's stack and its causes. */
  error: (message: string, error: unknown, details?: object) => void;
}

/** Writes lines like `{"timestamp":"2030-01-01T00:00:00.000Z","level":"INFO","message":"batch closed",…}` to a stream. */
export function createLog(stream: { write: (text: string) => unknown }, now: () => number): Log {
  const line = (level: string, message: string, details: object) => {
    stream.write(`${JSON.stringify({ timestamp: new Date(now()).toISOString(), level, message, ...details })}\n`);
  };
  return {
    info: (message, details) => line('INFO', message, details),
    warn: (message, details) => line('WARN', message, details),
    error: (message, error, details) => line('ERROR', message, { ...details, error: describe(error) }),
  };
}

/** An error's stack with those of its causes. Other fields stay out: those of the SDK's errors may hold requests. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? error.message;
  return error.cause === undefined ? text : `${text}\ncaused by ${describe(error.cause)}`;
}
