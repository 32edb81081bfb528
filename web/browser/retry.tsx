import { useState } from 'preact/hooks';
import type { StatusDocument } from '../../http/documents.ts';
import type { FailureCode } from '../../core/model/failure.ts';
import { Dialog } from './dialog.tsx';
import { count } from '../../core/model/text.ts';
import { HeadersField } from './headers-field.tsx';
import { parseHeaders } from './headers.ts';
import { go } from './navigation.ts';
import { batchHref } from './route.ts';
import { retry } from './submission.ts';

interface RetryProps {
  status: StatusDocument;
  /** Chosen at first. */
  codes: readonly FailureCode[];
  close: () => void;
}

/** Asks which causes are tried again, and starts the new batch. */
export function RetryDialog({ status: { id, failures }, codes, close }: RetryProps) {
  const causes = Object.keys(failures) as FailureCode[];
  const [chosen, setChosen] = useState(codes);
  const [headers, setHeaders] = useState('');

  const act = async () => {
    if (chosen.length === 0) throw new Error('Choose a cause.');
    const started = await retry(id, { codes: chosen, headers: parseHeaders(headers) });
    go(batchHref(started.id));
  };
  const toggle = (code: FailureCode) =>
    setChosen(chosen.includes(code) ? chosen.filter((other) => other !== code) : [...chosen, code]);

  return (
    <Dialog title="Try again what failed" action="Start a new batch" act={act} close={close}>
      <fieldset>
        <legend>Failed because of</legend>
        {causes.map((code) => (
          <label class="check" key={code}>
            <input type="checkbox" checked={chosen.includes(code)} onChange={() => toggle(code)} />
            <code>{code}</code> <span class="muted figures">{count(failures[code] ?? 0)}</span>
          </label>
        ))}
      </fieldset>
      <HeadersField value={headers} change={setHeaders} hint="Those of the old batch are not kept." />
    </Dialog>
  );
}
