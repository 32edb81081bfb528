import { describe, expect, test } from 'vitest';
import { LINK_SECONDS, type FileLinks } from '../../core/ports/file-links.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';

export interface LinkedStore {
  store: ObjectStore & FileLinks;
  /** What relative links are relative to. */
  base: string;
}

/** What links to stored files must do. `create` answers an empty store and sees to its end after the running test. */
export function describeFileLinks(name: string, create: () => Promise<LinkedStore>): void {
  describe(`links into ${name}`, () => {
    test.each([
      'plain.txt',
      'a folder/b.bin',
      'q?x=1&y#z;w=+%.txt',
      'müller/😀/naïve.jpg',
      "it's (1)*!.txt",
      'a%2fb/%2e%2e/c',
      ' leading and trailing ',
    ])('GET the file %j, byte for byte', async (key) => {
      const { store, base } = await create();
      const body = Buffer.from(`the bytes of ${key}`);
      await store.put(key, body, { contentType: 'text/x-test' });
      await store.put('other', Buffer.from('another'));
      const answer = await fetch(new URL(await store.link(key), base));
      expect(answer.status).toBe(200);
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(body);
      expect(answer.headers.get('content-type')).toBe('text/x-test');
    });

    test('lead to nothing where there is nothing', async () => {
      const { store, base } = await create();
      expect((await fetch(new URL(await store.link('nothing'), base))).status).toBe(404);
    });

    test('are good for a quarter of an hour', () => {
      expect(LINK_SECONDS).toBe(900);
    });
  });
}
