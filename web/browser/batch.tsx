import { useEffect, useState } from 'preact/hooks';
import type { StatusDocument } from '../../http/documents.ts';
import { Actions } from './actions.tsx';
import { Chart } from './chart.tsx';
import { Details } from './details.tsx';
import { Failures } from './failures.tsx';
import { Files } from './files.tsx';
import { byteSize, threeDigits } from '../../core/model/text.ts';
import { FailedHosts } from './hosts.tsx';
import { useTitle } from './navigation.ts';
import { usePolled } from './polling.ts';
import { ProblemNote } from './problem.tsx';
import { Progress } from './progress.tsx';
import { batchesHref, batchHref, type FilesView } from './route.ts';
import { addPoint, type Point } from './series.ts';
import { batchName, isOpen, StateBadge } from './state.tsx';
import { visible } from './visible.ts';

/** One batch, as it goes on. */
export function BatchView({ id, files }: { id: string; files: FilesView }) {
  const { data: status, problem, refresh } = usePolled<StatusDocument>(`batches/${id}`);
  const series = useSeries(status);
  const name = batchName(status?.name);
  useTitle(status ? name : 'Batch');

  if (!status) return problem ? <Unknown problem={problem} /> : <Loading />;
  const open = isOpen(status.state);
  const planned = status.state !== 'planning' && status.state !== 'rejected';
  return (
    <>
      <section class="head" aria-labelledby="batch">
        <div>
          <h1 id="batch" class="wrap">
            <bdi>{name}</bdi>
          </h1>
          <p role="status">
            <StateBadge state={status.state} />
            {status.reason === 'BYTE_LIMIT' && <span> by itself: it has stored more than its limit of bytes</span>}
          </p>
          {status.retryOf !== undefined && (
            <p class="muted">
              Retries what failed in <a href={batchHref(status.retryOf)}>an earlier batch</a>
            </p>
          )}
        </div>
        <Actions status={status} changed={refresh} />
      </section>

      {status.problem && <ProblemNote problem={status.problem} />}
      {status.warnings.length > 0 && (
        <ul class="notes" aria-label="Warnings">
          {status.warnings.map((warning) => (
            <li class="note wrap" key={warning}>
              {visible(warning)}
            </li>
          ))}
        </ul>
      )}

      <Progress status={status} />
      {open && planned && (
        <div class="columns">
          <Chart title="Files per second" series={series} field="filesPerSecond" text={(n) => `${threeDigits(n)}/s`} />
          <Chart title="Bytes per second" series={series} field="bytesPerSecond" text={(n) => `${byteSize(n)}/s`} />
        </div>
      )}
      {status.failed > 0 && (
        <div class="columns">
          <Failures status={status} />
          <FailedHosts id={id} failed={status.failed} />
        </div>
      )}
      <Details status={status} />
      {planned && <Files status={status} view={files} />}
    </>
  );
}

/** The speeds since this page began to look, as statuses come. */
function useSeries(status: StatusDocument | undefined): readonly Point[] {
  const [series, setSeries] = useState<readonly Point[]>([]);
  useEffect(() => {
    if (!status) return;
    const { filesPerSecond, bytesPerSecond } = status.rate;
    setSeries((series) => addPoint(series, { at: Date.now(), filesPerSecond, bytesPerSecond }));
  }, [status]);
  return series;
}

function Loading() {
  return (
    <section>
      <h1>Batch</h1>
      <p class="muted">Loading …</p>
    </section>
  );
}

function Unknown({ problem }: Parameters<typeof ProblemNote>[0]) {
  return (
    <section>
      <h1>Batch</h1>
      <ProblemNote problem={problem} />
      <p>
        <a href={batchesHref()}>All batches</a>
      </p>
    </section>
  );
}
