import { useEffect, useRef, useState } from 'preact/hooks';
import type { FileDocument } from '../../http/documents.ts';
import { read } from './api.ts';
import { count } from '../../core/model/text.ts';
import { queryOf } from './route.ts';
import { visible } from './visible.ts';

/** Failed entries that are looked through: enough to see which hosts fail, whatever the size of the batch. */
const MAX_READ = 5000;
const PAGE_SIZE = 500;
const SHOWN_HOSTS = 8;

interface FailedHosts {
  /** Failed entries by host. */
  hosts: ReadonlyMap<string, number>;
  read: number;
}

/** Which hosts failed most, among the first failures. */
export function FailedHosts({ id, failed }: { id: string; failed: number }) {
  const { hosts, read } = useFailedHosts(id, failed);
  const worst = [...hosts].sort(([, a], [, b]) => b - a).slice(0, SHOWN_HOSTS);
  return (
    <section class="card" aria-labelledby="hosts">
      <h2 id="hosts">Failures by host</h2>
      <ul class="bars">
        {worst.map(([host, n]) => (
          <li key={host}>
            <bdi class="wrap">{visible(host)}</bdi>
            <strong class="figures">{count(n)}</strong>
          </li>
        ))}
      </ul>
      {hosts.size > worst.length && <p class="muted">and {count(hosts.size - worst.length)} more</p>}
      {read < failed && read > 0 && <p class="muted">Of the first {count(read)} failures</p>}
    </section>
  );
}

/** Reads on whenever more have failed, each failure once. */
function useFailedHosts(id: string, failed: number): FailedHosts {
  const [found, setFound] = useState<FailedHosts>({ hosts: new Map(), read: 0 });
  const cursor = useRef<string | undefined>(undefined);

  useEffect(() => {
    const stop = new AbortController();
    const follow = async () => {
      for (let seen = found.read; seen < Math.min(failed, MAX_READ);) {
        const query = queryOf({ state: 'failed', limit: String(PAGE_SIZE), cursor: cursor.current });
        const { body } = await read<{ files: FileDocument[]; nextCursor?: string }>(
          `batches/${id}/files${query}`,
          stop.signal,
        );
        const { nextCursor } = body;
        // Nothing more is listed yet of what is counted.
        const atEnd = nextCursor === undefined || nextCursor === cursor.current;
        cursor.current = nextCursor;
        seen += body.files.length;
        setFound((found) => add(found, body.files));
        if (atEnd) return;
      }
    };
    // A service that is away is told of by the status, which also brings this on.
    follow().catch(() => undefined);
    return () => stop.abort();
  }, [id, failed]);
  return found;
}

function add({ hosts, read }: FailedHosts, files: readonly FileDocument[]): FailedHosts {
  const sum = new Map(hosts);
  for (const { url } of files) {
    const { host = '' } = URL.parse(url) ?? {};
    const name = host || 'no host';
    sum.set(name, (sum.get(name) ?? 0) + 1);
  }
  return { hosts: sum, read: read + files.length };
}
