import { useId } from 'preact/hooks';
import type { PublicOptions } from '../../core/model/options.ts';

/** An option that the form offers; the others can be set by the API. */
interface Field {
  label: string;
  hint: string;
  kind: 'number' | 'text' | 'list' | readonly string[];
}

const FIELDS = {
  prefix: { label: 'Folder', hint: 'Put before every key, with its slash; the batch’s id if left out', kind: 'text' },
  keyTemplate: { label: 'Key template', hint: '{host} {path} {name} {stem} {ext} {index} {hash}', kind: 'text' },
  ifExists: { label: 'A file that is there', hint: '', kind: ['skip', 'overwrite', 'refresh'] },
  invalidEntries: { label: 'Entries that cannot be used', hint: '', kind: ['reject', 'fail'] },
  contentTypes: { label: 'Media types', hint: 'Only these, as image/*, image/png; all if left out', kind: 'list' },
  connectionsPerHost: { label: 'Connections per host', hint: '16 if left out', kind: 'number' },
  requestsPerSecondPerHost: { label: 'Requests per second and host', hint: 'No limit if left out', kind: 'number' },
  maxAttempts: { label: 'Attempts per file', hint: '6 if left out', kind: 'number' },
  maxTotalBytes: { label: 'Bytes in all', hint: 'A batch that has stored more is paused', kind: 'number' },
} as const satisfies Partial<Record<keyof PublicOptions, Field>>;

type OptionName = keyof typeof FIELDS;

/** What stands in the fields; absent or empty for a default. */
export type OptionTexts = Partial<Record<OptionName, string>>;

/** The options that the fields say. The service says whether it takes them. */
export function readOptions(texts: OptionTexts): Partial<PublicOptions> {
  const given = Object.entries(texts).filter(([, text]) => text.trim() !== '') as [OptionName, string][];
  return Object.fromEntries(given.map(([name, text]) => [name, valueOf(FIELDS[name], text.trim())]));
}

function valueOf({ kind }: Field, text: string): string | number | string[] {
  // What is no number goes as it is, for the service to refuse by its name.
  if (kind === 'number') return Number.isFinite(Number(text)) ? Number(text) : text;
  return kind === 'list' ? text.split(',').map((item) => item.trim()) : text;
}

interface OptionsFieldsProps {
  texts: OptionTexts;
  change: (texts: OptionTexts) => void;
}

export function OptionsFields({ texts, change }: OptionsFieldsProps) {
  const names = Object.keys(FIELDS) as OptionName[];
  return (
    <div class="grid">
      {names.map((name) => (
        <OptionField
          key={name}
          field={FIELDS[name]}
          text={texts[name] ?? ''}
          change={(text) => change({ ...texts, [name]: text })}
        />
      ))}
    </div>
  );
}

interface OptionFieldProps {
  field: Field;
  text: string;
  change: (text: string) => void;
}

function OptionField({ field: { label, hint, kind }, text, change }: OptionFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {typeof kind === 'object' ? (
        <select id={id} value={text} onChange={(event) => change(event.currentTarget.value)}>
          {kind.map((choice, at) => (
            <option key={choice} value={at === 0 ? '' : choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          value={text}
          inputMode={kind === 'number' ? 'decimal' : 'text'}
          autocomplete="off"
          spellcheck={false}
          aria-describedby={`${id}-hint`}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
      {hint !== '' && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
