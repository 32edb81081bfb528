import { useEffect, useRef } from 'preact/hooks';
import type { FileDocument, StatusDocument } from '../../http/documents.ts';
import { urlOf } from './api.ts';
import { byteSize, count } from '../../core/model/text.ts';
import { usePolled } from './polling.ts';
import { ProblemNote } from './problem.tsx';
import { batchHref, queryOf, type FilesView } from './route.ts';
import { isOpen } from './state.tsx';
import { visible, webUrl } from './visible.ts';

const PAGE_SIZE = 50;
/** How often a page of files is asked for: while it can grow; afterwards so that its links, of 15 minutes, are fresh. */
const OPEN_SECONDS = 5;
const CLOSED_SECONDS = 600;

/** How the entries of a batch ended, a page at a time. */
export function Files({ status, view: { state, cursor } }: { status: StatusDocument; view: FilesView }) {
  const { id } = status;
  const query = queryOf({ links: 'true', limit: String(PAGE_SIZE), state, cursor });
  const everySeconds = isOpen(status.state) ? OPEN_SECONDS : CLOSED_SECONDS;
  const { data, problem } = usePolled<FilesDocument>(`batches/${id}/files${query}`, everySeconds);
  const heading = useFocusOnChange(`${state ?? ''} ${cursor ?? ''}`);
  const next = data?.nextCursor;
  const listed = state === undefined ? status.done + status.failed + status.skipped : status[state];

  return (
    <section aria-labelledby="files">
      <div class="spread">
        <h2 id="files" tabIndex={-1} ref={heading}>
          Files
        </h2>
        <nav class="tabs" aria-label="Files by state">
          {([undefined, 'done', 'failed', 'skipped'] as const).map((one) => (
            <a href={batchHref(id, { state: one })} aria-current={one === state ? 'true' : undefined}>
              {one ?? 'all'}
            </a>
          ))}
        </nav>
      </div>
      {problem && <ProblemNote problem={problem} />}
      {!data && !problem && <p class="muted">Loading …</p>}
      {data?.files.length === 0 && (
        <p class="card empty muted">{isOpen(status.state) ? 'None here yet.' : 'None here.'}</p>
      )}
      {data && data.files.length > 0 && (
        <ul class="rows card" aria-label="Files">
          {data.files.map((file) => (
            <FileRow key={`${file.index} ${file.key}`} file={file} />
          ))}
        </ul>
      )}
      <nav class="pages" aria-label="Pages of files">
        {cursor !== undefined && <a href={batchHref(id, { state })}>First page</a>}
        {next !== undefined && listed > 0 && <a href={batchHref(id, { state, cursor: next })}>Next page</a>}
      </nav>
    </section>
  );
}

interface FilesDocument {
  files: FileDocument[];
  nextCursor?: string;
}

function FileRow({ file }: { file: FileDocument }) {
  const { index, url, key, state, code, message, attempts } = file;
  const link = file.link === undefined ? undefined : webUrl(urlOf(file.link).href);
  return (
    <li class="file-row">
      <span class="muted figures index">{count(index)}</span>
      <span class={`dot ${state}`}>{state}</span>
      <div class="wrap">
        <bdi class="name">{visible(key || url) || 'A URL that is not shown'}</bdi>
        {key !== '' && <Source url={url} />}
        {state === 'failed' && (
          <p class="why">
            <code>{code}</code> <bdi>{visible(message ?? '')}</bdi>
            {attempts > 1 && ` · ${count(attempts)} attempts`}
          </p>
        )}
        {file.lengthVerified === false && <p class="muted">The source could not prove that it is whole.</p>}
      </div>
      <span class="figures end">{file.bytes !== undefined && byteSize(file.bytes)}</span>
      <span class="end">
        {link !== undefined && (
          <a
            class="button small"
            href={link}
            download
            rel="noopener noreferrer"
            aria-label={`Download ${visible(key)}`}
          >
            Download
          </a>
        )}
      </span>
    </li>
  );
}

/** Where a file came from: a link if a browser may be sent there. */
function Source({ url }: { url: string }) {
  const href = webUrl(url);
  return (
    <bdi class="muted source">
      {href === undefined ? (
        visible(url)
      ) : (
        <a href={href} target="_blank" rel="noopener noreferrer nofollow">
          {visible(url)}
        </a>
      )}
    </bdi>
  );
}

/** Brings who has chosen another page or filter to its beginning. */
function useFocusOnChange(view: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(view);
  useEffect(() => {
    if (shown.current === view) return;
    shown.current = view;
    heading.current?.focus();
  }, [view]);
  return heading;
}
