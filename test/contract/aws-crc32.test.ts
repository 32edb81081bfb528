import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksumOf, combinedChecksum } from '../../adapters/aws/crc32.ts';

test('the checksum of a whole is made of those of its parts, whatever their sizes', () => {
  const bytes = randomBytes(100_000);
  fc.assert(
    fc.property(fc.array(fc.nat(20_000), { minLength: 1, maxLength: 5 }), (sizes) => {
      let at = 0;
      const parts = sizes.map((size) => bytes.subarray(at, (at += size)));
      const sums = parts.map((part) => ({ checksum: checksumOf(part), bytes: part.length }));
      expect(combinedChecksum(sums)).toBe(checksumOf(Buffer.concat(parts)));
    }),
    { numRuns: 50 },
  );
});

test('it is that of the field, also of parts that need more than 32 bits for their length', () => {
  expect(checksumOf(Buffer.from('123456789'))).toBe('y/Q5Jg=='); // CBF43926, the check value of CRC-32
  const zeros = { checksum: checksumOf(Buffer.of()), bytes: 0 };
  expect(combinedChecksum([{ checksum: 'y/Q5Jg==', bytes: 9 }, zeros])).toBe('y/Q5Jg==');
  // The powers of x repeat after 2 to the 32nd less 1 bits: so many bytes shift nothing.
  const period = { checksum: 'AAAAAA==', bytes: 2 ** 32 - 1 };
  expect(combinedChecksum([{ checksum: 'y/Q5Jg==', bytes: 9 }, period])).toBe('y/Q5Jg==');
});
