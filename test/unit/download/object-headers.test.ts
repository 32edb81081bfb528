import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOwn, objectHeaders } from '../../../core/download/object-headers.ts';

const owner = { batchId: '01890a5d-ac96-774b-bcce-b302099a8057', index: 9_999_999 };

describe('what is kept beside a file', () => {
  test('fits into 2 KB of printable ASCII, whatever the source says', () => {
    const text = fc.string({ unit: 'binary', maxLength: 3000 });
    const header = fc.option(text, { nil: undefined });
    fc.assert(
      fc.property(fc.webPath(), text, header, header, header, (path, rest, etag, type, encoding) => {
        const url = new URL(`https://source.test/${path}${encodeURIComponent(rest.toWellFormed())}`).href;
        const {
          metadata = {},
          contentType,
          contentEncoding,
        } = objectHeaders(owner, url, '0123456789abcdef', {
          etag,
          'last-modified': etag,
          'content-type': type,
          'content-encoding': encoding,
        });
        // The digest is added at the end.
        const pairs = [...Object.entries(metadata), ['downburst-sha256', '0'.repeat(64)]];
        expect(pairs.flat().join('').length).toBeLessThanOrEqual(2048);
        for (const value of [...Object.values(metadata), contentType, contentEncoding]) {
          if (value !== undefined) expect(value).toMatch(/^[\x20-\x7e]+$/);
        }
        expect(isOwn({ metadata }, owner)).toBe(true);
      }),
    );
  });

  test('never holds the query or the fragment of a URL', () => {
    const { metadata } = objectHeaders(
      owner,
      'https://source.test/a%20b?signature=secret#secret',
      '0123456789abcdef',
      {},
    );
    expect(metadata).toMatchObject({ 'downburst-source': 'https://source.test/a%20b' });
    expect(JSON.stringify(metadata)).not.toContain('secret');
  });

  test('tells the objects of an entry from all others', () => {
    const { metadata } = objectHeaders(owner, 'https://source.test/', '0123456789abcdef', {});
    expect(isOwn({ metadata }, owner)).toBe(true);
    expect(isOwn({ metadata }, { ...owner, index: 1 })).toBe(false);
    expect(isOwn({ metadata }, { ...owner, batchId: 'another' })).toBe(false);
    expect(isOwn({ metadata: {} }, owner)).toBe(false);
    expect(isOwn({}, owner)).toBe(false);
  });
});
