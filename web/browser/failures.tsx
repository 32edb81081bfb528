import { useState } from 'preact/hooks';
import type { StatusDocument } from '../../http/documents.ts';
import { FAILURES, type FailureCode } from '../../core/model/failure.ts';
import { downloadFailedList } from './failed-list.ts';
import { count } from '../../core/model/text.ts';
import { ErrorNote } from './problem.tsx';
import { RetryDialog } from './retry.tsx';
import { batchHref } from './route.ts';
import { isOpen } from './state.tsx';

/** Why entries failed, the most frequent cause first. */
export function Failures({ status }: { status: StatusDocument }) {
  const { id, failures, failed, state } = status;
  const [retrying, setRetrying] = useState<FailureCode[]>();
  const causes = (Object.entries(failures) as [FailureCode, number][]).sort(([, a], [, b]) => b - a);

  return (
    <section class="card" aria-labelledby="failures">
      <h2 id="failures">Failures by cause</h2>
      <ul class="bars">
        {causes.map(([code, n]) => (
          <li key={code}>
            <div>
              <code>{code}</code>
              <span class="muted"> {FAILURES[code].meaning}</span>
            </div>
            <strong class="figures">{count(n)}</strong>
            {!isOpen(state) && (
              <button type="button" class="small" onClick={() => setRetrying([code])} aria-label={`Retry ${code}`}>
                Retry
              </button>
            )}
          </li>
        ))}
      </ul>
      <div class="buttons">
        <a class="button" href={batchHref(id, { state: 'failed' })}>
          Show them
        </a>
        <SaveFailed id={id} failed={failed} />
      </div>
      {retrying && <RetryDialog status={status} codes={retrying} close={() => setRetrying(undefined)} />}
    </section>
  );
}

/** Saves the failed entries as a list. */
function SaveFailed({ id, failed }: { id: string; failed: number }) {
  const [read, setRead] = useState<number>();
  const [error, setError] = useState<unknown>();
  const save = async () => {
    setError(undefined);
    setRead(0);
    await downloadFailedList(id, failed, setRead).catch(setError);
    setRead(undefined);
  };
  return (
    <>
      <button type="button" disabled={read !== undefined} onClick={() => void save()}>
        {read === undefined ? 'Save as a list' : `${count(read)} read`}
      </button>
      {error !== undefined && <ErrorNote error={error} />}
    </>
  );
}
