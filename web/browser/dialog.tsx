import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ErrorNote } from './problem.tsx';

interface DialogProps {
  title: string;
  /** What the button says that does it. */
  action: string;
  dangerous?: boolean;
  /** Does it; what it throws is shown, and the dialog stays. */
  act: () => Promise<void>;
  close: () => void;
  children: ComponentChildren;
}

/** Asks before something is done. Escape and the other button leave it. */
export function Dialog({ title, action, dangerous = false, act, close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  useEffect(() => dialog.current?.showModal(), []);
  /** By the element's own method, which gives the focus back to where it was. */
  const leave = () => dialog.current?.close();

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await act();
      leave();
    } catch (error) {
      setError(error);
      setBusy(false);
    }
  };

  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id={titleId}>{title}</h2>
        {children}
        {error !== undefined && <ErrorNote error={error} />}
        <div class="buttons end">
          <button type="button" onClick={leave}>
            Back
          </button>
          <button type="submit" class={dangerous ? 'primary danger' : 'primary'} disabled={busy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
