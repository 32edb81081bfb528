import type { BatchItemDocument, StatusDocument } from '../../http/documents.ts';
import { count, counted, duration, percent } from '../../core/model/text.ts';
import { time } from './format.ts';
import { useTitle } from './navigation.ts';
import { usePolled } from './polling.ts';
import { ProblemNote } from './problem.tsx';
import { batchesHref, batchHref, NEW_HREF, queryOf, type PageOf } from './route.ts';
import { batchName, isOpen, StateBadge } from './state.tsx';

const PAGE_SIZE = 25;
/** How often the list and each open batch in it are asked for, in seconds. */
const LIST_SECONDS = 5;

/** The batches, newest first, a page at a time. */
export function BatchList({ cursor }: PageOf) {
  useTitle('Batches');
  const query = queryOf({ limit: String(PAGE_SIZE), cursor });
  const { data, problem } = usePolled<BatchesDocument>(`batches${query}`, LIST_SECONDS);

  return (
    <section>
      <h1>Batches</h1>
      {problem && <ProblemNote problem={problem} />}
      {!data && !problem && <p class="muted">Loading …</p>}
      {data?.batches.length === 0 && (
        <div class="card empty">
          <p>{cursor === undefined ? 'There are no batches yet.' : 'There are no older batches.'}</p>
          <a class="button primary" href={NEW_HREF}>
            Start the first one
          </a>
        </div>
      )}
      {data && data.batches.length > 0 && (
        <ul class="rows card" aria-label="Batches, newest first">
          {data.batches.map((batch) => (
            <BatchRow key={batch.id} batch={batch} />
          ))}
        </ul>
      )}
      <nav class="pages" aria-label="Pages of batches">
        {cursor !== undefined && <a href={batchesHref()}>Newest</a>}
        {data?.nextCursor !== undefined && <a href={batchesHref({ cursor: data.nextCursor })}>Older</a>}
      </nav>
    </section>
  );
}

interface BatchesDocument {
  batches: BatchItemDocument[];
  nextCursor?: string;
}

function BatchRow({ batch }: { batch: BatchItemDocument }) {
  const { id, name, state, createdAt, finishedAt, total, failed } = batch;
  const took = finishedAt && (Date.parse(finishedAt) - Date.parse(createdAt)) / 1000;
  return (
    <li class="batch-row">
      <a class="name" href={batchHref(id)}>
        <bdi>{batchName(name)}</bdi>
      </a>
      <StateBadge state={state} />
      <span class="muted figures">
        {isOpen(state) ? <Progress id={id} /> : counted(total, 'file')}
        {took !== undefined && took !== '' && ` in ${duration(took)}`}
        <Failed n={failed} />
      </span>
      <time class="muted" dateTime={createdAt}>
        {time(createdAt)}
      </time>
    </li>
  );
}

/** How far an open batch is. */
function Progress({ id }: { id: string }) {
  const { data } = usePolled<StatusDocument>(`batches/${id}`, LIST_SECONDS);
  if (!data) return <>…</>;
  return (
    <>
      {percent(data.total - data.pending, data.total)} % of {counted(data.total, 'file')}
      <Failed n={data.failed} />
    </>
  );
}

function Failed({ n = 0 }: { n: number | undefined }) {
  if (n === 0) return null;
  return (
    <>
      , <span class="failed">{count(n)} failed</span>
    </>
  );
}
