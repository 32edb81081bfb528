import { useEffect, useRef, useState } from 'preact/hooks';
import type { DryRunDocument } from '../../http/documents.ts';
import { DryRun } from './dry-run.tsx';
import { percent } from '../../core/model/text.ts';
import { HeadersField } from './headers-field.tsx';
import { parseHeaders } from './headers.ts';
import { ListField } from './list-field.tsx';
import type { GivenList } from './list.ts';
import { go, useTitle } from './navigation.ts';
import { OptionsFields, readOptions, type OptionTexts } from './options.tsx';
import { ErrorNote } from './problem.tsx';
import { batchHref } from './route.ts';
import { checkSubmission, isInline, submit, type Submission } from './submission.ts';

/** What the form is doing, or what came of it. */
type Phase =
  | { is: 'ready' }
  | { is: 'checking' }
  | { is: 'starting'; uploaded?: number }
  | { is: 'checked'; dryRun: DryRunDocument }
  | { is: 'refused'; error: unknown };

/** Starts a batch of a list. */
export function StartForm() {
  useTitle('New batch');
  const [list, setList] = useState<GivenList>();
  const [name, setName] = useState('');
  const [options, setOptions] = useState<OptionTexts>({});
  const [headers, setHeaders] = useState('');
  const [phase, setPhase] = useState<Phase>({ is: 'ready' });
  const shown = useRef(true);
  useEffect(() => () => void (shown.current = false), []);
  const busy = phase.is === 'checking' || phase.is === 'starting';

  /** Does something with what is in the form, and shows why it cannot be done. */
  const attempt = async (act: (submission: Submission) => Promise<void>) => {
    try {
      if (!list) throw new Error('There is nothing in the list yet.');
      await act({
        list,
        name: name.trim() === '' ? undefined : name.trim(),
        options: readOptions(options),
        headers: parseHeaders(headers),
      });
    } catch (error) {
      setPhase({ is: 'refused', error });
    }
  };
  const check = () =>
    attempt(async (submission) => {
      setPhase({ is: 'checking' });
      setPhase({ is: 'checked', dryRun: await checkSubmission(submission) });
    });
  const start = () =>
    attempt(async (submission) => {
      setPhase({ is: 'starting' });
      const { id } = await submit(submission, (uploaded) => setPhase({ is: 'starting', uploaded }));
      // Who has left meanwhile is not fetched back.
      if (shown.current) go(batchHref(id));
    });
  /** What was checked or refused is not what the form says any more. */
  const changing =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      set(value);
      if (!busy) setPhase({ is: 'ready' });
    };

  return (
    <form
      class="start"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <h1>New batch</h1>
      <ListField list={list} change={changing(setList)} />
      <label class="field">
        Name
        <input
          value={name}
          maxLength={200}
          autocomplete="off"
          placeholder="Optional"
          onInput={(event) => changing(setName)(event.currentTarget.value)}
        />
      </label>
      <details class="card">
        <summary>Options</summary>
        <OptionsFields texts={options} change={changing(setOptions)} />
        <HeadersField
          value={headers}
          change={changing(setHeaders)}
          hint="For all files; never shown again, nor sent on to another site."
        />
      </details>

      {phase.is === 'refused' && <ErrorNote error={phase.error} />}
      {phase.is === 'checked' && <DryRun dryRun={phase.dryRun} />}
      <div class="buttons">
        <button type="submit" class="primary" disabled={busy}>
          Start
        </button>
        <button type="button" disabled={busy || (list !== undefined && !isInline(list))} onClick={() => void check()}>
          Check first
        </button>
        <span role="status" class="muted">
          {phase.is === 'checking' && 'Checking …'}
          {phase.is === 'starting' && phase.uploaded === undefined && 'Starting …'}
          {phase.is === 'starting' && phase.uploaded !== undefined && (
            <>
              <progress aria-label="Uploaded" value={phase.uploaded} /> {percent(phase.uploaded, 1)} % uploaded
            </>
          )}
          {!busy && list && !isInline(list) && 'A large or packed list is uploaded, and cannot be checked first.'}
        </span>
      </div>
    </form>
  );
}
