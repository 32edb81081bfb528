const EXIT_USAGE = 2;

/** What `read` makes of the command line. Where it throws, its sentence is told, and the process ends with status 2. */
export function readCommandLine<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    console.error((error as Error).message);
    return process.exit(EXIT_USAGE);
  }
}

/** The whole number that a flag was given. Errors: it is none, or less than `least`. */
export function wholeNumber(flag: string, text: string, least = 1): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(`${flag} takes a whole number from ${least}, not "${text}".`);
}
