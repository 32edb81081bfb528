/** What the operator is told: one line per event. */
export interface Log {
  info: (message: string) => void;
  /** With the error's stack and its causes, on lines of their own, indented. */
  error: (message: string, error?: unknown) => void;
}

/** Writes lines like `2030-01-01T00:00:00.000Z info batch … finished` to a stream. */
export function createLog(stream: { write: (text: string) => unknown }, now: () => number): Log {
  const line = (level: string, message: string) => {
    stream.write(`${new Date(now()).toISOString()} ${level} ${message}\n`);
  };
  return {
    info: (message) => line('info', message),
    error: (message, error) => line('error', error === undefined ? message : `${message}: ${describe(error)}`),
  };
}

/** An error's stack with those of its causes, on indented lines so that an event still begins at a line's start. */
function describe(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause = error instanceof Error && error.cause !== undefined ? `\ncaused by ${describe(error.cause)}` : '';
  return (text + cause).replaceAll('\n', '\n  ');
}
