import { useId } from 'preact/hooks';

interface HeadersFieldProps {
  value: string;
  change: (text: string) => void;
  hint: string;
}

/** Request headers for all entries. */
export function HeadersField({ value, change, hint }: HeadersFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Request headers</label>
      <textarea
        id={id}
        rows={2}
        value={value}
        spellcheck={false}
        autocomplete="off"
        placeholder="Authorization: Bearer …"
        aria-describedby={`${id}-hint`}
        onInput={(event) => change(event.currentTarget.value)}
      />
      <p class="hint" id={`${id}-hint`}>
        One a line. {hint}
      </p>
    </div>
  );
}
