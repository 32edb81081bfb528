import { useState } from 'preact/hooks';
import type { StatusDocument } from '../../http/documents.ts';
import type { FailureCode } from '../../core/model/failure.ts';
import { post, send } from './api.ts';
import { Dialog } from './dialog.tsx';
import { byteSize, counted } from '../../core/model/text.ts';
import { go } from './navigation.ts';
import { ErrorNote } from './problem.tsx';
import { RetryDialog } from './retry.tsx';
import { batchesHref } from './route.ts';
import { isOpen } from './state.tsx';

type Question = 'cancel' | 'delete' | 'retry' | 'limit';

interface ActionsProps {
  status: StatusDocument;
  /** Called when something was done, so that its effect is seen at once. */
  changed: () => void;
}

/** What can be done with a batch as it is. */
export function Actions({ status, changed }: ActionsProps) {
  const { id, state, failed, reason } = status;
  const [question, setQuestion] = useState<Question>();
  const [error, setError] = useState<unknown>();
  const control = async (verb: 'pause' | 'resume' | 'cancel', body?: object) => {
    await post(`batches/${id}/${verb}`, body);
    changed();
  };
  const now = (verb: 'pause' | 'resume') => {
    setError(undefined);
    control(verb).catch(setError);
  };
  const ask = (question: Question) => () => setQuestion(question);
  const close = () => setQuestion(undefined);
  const toggle = () => {
    if (state === 'running') now('pause');
    else if (reason === 'BYTE_LIMIT') setQuestion('limit');
    else now('resume');
  };

  return (
    <div class="actions">
      <div class="buttons">
        {(state === 'running' || state === 'paused') && (
          // One button for both, which keeps the focus.
          <button type="button" class={state === 'paused' ? 'primary' : ''} onClick={toggle}>
            {state === 'paused' ? 'Resume' : 'Pause'}
          </button>
        )}
        {isOpen(state) && state !== 'cancelling' && (
          <button type="button" onClick={ask('cancel')}>
            Cancel
          </button>
        )}
        {!isOpen(state) && failed > 0 && (
          <button type="button" class="primary" onClick={ask('retry')}>
            Retry
          </button>
        )}
        {!isOpen(state) && (
          <button type="button" onClick={ask('delete')}>
            Delete
          </button>
        )}
      </div>
      {error !== undefined && <ErrorNote error={error} />}
      {question === 'cancel' && <CancelDialog status={status} act={() => control('cancel')} close={close} />}
      {question === 'delete' && <DeleteDialog id={id} close={close} />}
      {question === 'limit' && (
        <LimitDialog status={status} act={(maxTotalBytes) => control('resume', { maxTotalBytes })} close={close} />
      )}
      {question === 'retry' && (
        <RetryDialog status={status} codes={Object.keys(status.failures) as FailureCode[]} close={close} />
      )}
    </div>
  );
}

interface QuestionProps {
  act: () => Promise<void>;
  close: () => void;
}

function CancelDialog({ status, act, close }: QuestionProps & { status: StatusDocument }) {
  return (
    <Dialog title="Cancel this batch?" action="Cancel the batch" dangerous act={act} close={close}>
      <p>
        {status.state === 'planning'
          ? 'Nothing of it is'
          : `${counted(status.pending, 'file')} that are pending will not be`}{' '}
        fetched. Files that are there stay. A cancelled batch cannot go on.
      </p>
    </Dialog>
  );
}

function DeleteDialog({ id, close }: { id: string; close: () => void }) {
  const act = async () => {
    await send(`batches/${id}`, { method: 'DELETE' });
    go(batchesHref());
  };
  return (
    <Dialog title="Delete this batch?" action="Delete the batch" dangerous act={act} close={close}>
      <p>Its status, its list and how its files ended will be gone. The files themselves stay where they are.</p>
    </Dialog>
  );
}

interface LimitDialogProps {
  status: StatusDocument;
  act: (maxTotalBytes: number) => Promise<void>;
  close: () => void;
}

/** A batch that has passed its limit of bytes goes on with a higher one only. */
function LimitDialog({ status, act, close }: LimitDialogProps) {
  const { maxTotalBytes = 0 } = status.options;
  const [limit, setLimit] = useState(2 * maxTotalBytes);
  return (
    <Dialog title="Resume with a higher limit" action="Resume" act={() => act(limit)} close={close}>
      <p>
        It has stored {byteSize(status.bytes)}; its limit was {byteSize(maxTotalBytes)}.
      </p>
      <label class="field">
        New limit in bytes
        <input
          type="number"
          min={status.bytes + 1}
          step={1}
          required
          value={limit}
          onInput={(event) => setLimit(event.currentTarget.valueAsNumber)}
        />
      </label>
    </Dialog>
  );
}
