import { crc32 } from 'node:zlib';

/** CRC-32's polynomial, its highest power in the lowest bit, and the powers of x by which checksums are shifted. */
const POLYNOMIAL = 0xedb88320;
const X_TO_THE_0 = 0x80000000;
const X_TO_THE_8 = 0x00800000;

/** CRC-32 as S3 writes it. */
export function checksumOf(bytes: Buffer): string {
  return write(crc32(bytes));
}

/**
 * The checksum of a whole that is made of these parts, of their own checksums, as S3 makes it for an object whose
 * checksum type is `FULL_OBJECT`: a part's is shifted by the bytes behind it (zlib's `crc32_combine`).
 */
export function combinedChecksum(parts: readonly { checksum?: string | undefined; bytes: number }[]): string {
  const whole = parts.reduce(
    (sum, { checksum = '', bytes }) => multiply(shiftOf(bytes), sum) ^ Buffer.from(checksum, 'base64').readInt32BE(),
    0,
  );
  return write(whole >>> 0);
}

function write(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return bytes.toString('base64');
}

/** x to the power of so many bytes' bits. */
function shiftOf(bytes: number): number {
  let power = X_TO_THE_0;
  let square = X_TO_THE_8;
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}

/** The product of two polynomials over GF(2), modulo CRC-32's. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = X_TO_THE_0, shifted = b; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}
