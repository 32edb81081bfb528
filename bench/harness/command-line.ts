/** The status of a process that cannot do what it was asked for. */
export const EXIT_USAGE = 2;

/** What `read` makes of the command line. Where it throws, its sentence is told, and the process ends with status 2. */
export function readCommandLine<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    console.error((error as Error).message);
    return process.exit(EXIT_USAGE);
  }
}

/** The whole number that a flag was given. Errors: it is none, or not within these bounds. */
export function wholeNumber(flag: string, text: string, least = 1, most = 1e9): number {
  const number = numberWithin(flag, text, { min: least, max: most });
  if (Number.isInteger(number)) return number;
  throw new Error(`${flag} takes a whole number, not "${text}".`);
}

/** The number that a flag was given. Errors: it is none, or not within these bounds. */
export function numberWithin(flag: string, text: string, { min, max }: { min: number; max: number }): number {
  const number = Number(text);
  if (text.trim() !== '' && number >= min && number <= max) return number;
  throw new Error(`${flag} takes a number from ${min} to ${max}, not "${text}".`);
}
