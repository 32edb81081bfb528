import { Token } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import * as z from 'zod';

// What settings can be; each says of a value that is wrong what would be right.

/** A value of which `problem` says what is wrong with it, and what would be right. */
export function checked<T>(problem: (value: unknown) => string | undefined): z.ZodType<T, T> {
  return z.custom<T>((value) => problem(value) === undefined, { error: ({ input }) => problem(input) ?? '' });
}

/** A value that passes a test. */
export function needed<T>(what: string, test: (value: unknown) => boolean): z.ZodType<T, T> {
  return checked((value) => (test(value) ? undefined : `needs ${what}, not ${shown(value)}`));
}

export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return `'${value}'`;
  return Construct.isConstruct(value) ? `the construct ${value.node.path}` : JSON.stringify(value);
}

export function wholeNumber({ min, max }: { min: number; max: number }) {
  const what = `a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;
  return needed<number>(what, (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max);
}

/** A text of some form, or one that is known only when it is deployed. */
export function text(what: string, form: RegExp) {
  return needed<string>(what, (value) => typeof value === 'string' && (Token.isUnresolved(value) || form.test(value)));
}

/** A construct, or the text that names what was made elsewhere. */
export function constructOr<T>(what: string, form: RegExp) {
  return needed<T | string>(what, (value) =>
    typeof value === 'string' ? Token.isUnresolved(value) || form.test(value) : Construct.isConstruct(value),
  );
}

export function listOf<T>(what: string, item: z.ZodType<T, T>, least = 0) {
  return z.array(item, { error: ({ input }) => `needs a list of ${what}, not ${shown(input)}` }).min(least, {
    error: `needs ${what}, one at least`,
  });
}
