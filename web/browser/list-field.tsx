import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { LIST_FORMATS, type ListFormat } from '../../core/model/list-format.ts';
import { byteSize } from '../../core/model/text.ts';
import { listOfFile, pastedList, type GivenList } from './list.ts';
import { visible } from './visible.ts';

interface ListFieldProps {
  list: GivenList | undefined;
  change: (list: GivenList | undefined) => void;
}

/** Takes a list: pasted, dropped or chosen. */
export function ListField({ list, change }: ListFieldProps) {
  const id = useId();
  const [text, setText] = useState('');
  const [file, setFile] = useState<File>();
  const [said, setSaid] = useState<ListFormat>();

  const paste = (text: string) => {
    setText(text);
    setFile(undefined);
    change(pastedList(text, said));
  };
  const take = async (file: File | undefined) => {
    if (!file) return;
    setFile(file);
    change(await listOfFile(file, said));
  };
  const say = async (format: ListFormat | undefined) => {
    setSaid(format);
    change(file ? await listOfFile(file, format) : pastedList(text, format));
  };
  const over = useDroppedFile(take);

  return (
    <div class={over ? 'list over' : 'list'}>
      {file ? (
        <div class="card file">
          <bdi class="wrap">
            <strong>{visible(file.name)}</strong> <span class="muted">{byteSize(file.size)}</span>
          </bdi>
          <button type="button" class="small" onClick={() => paste(text)}>
            Remove
          </button>
        </div>
      ) : (
        <div class="field">
          <label for={id}>List of URLs</label>
          <textarea
            id={id}
            rows={10}
            value={text}
            spellcheck={false}
            autocomplete="off"
            placeholder={'https://example.com/a.jpg\nhttps://example.com/b.jpg'}
            aria-describedby={`${id}-hint`}
            onInput={(event) => paste(event.currentTarget.value)}
          />
        </div>
      )}
      <div class="spread">
        <p class="hint" id={`${id}-hint`}>
          One URL a line, or a table, JSON or an aria2 input file. Drop a file here, or{' '}
          <label class="choose">
            choose one
            <input
              type="file"
              onChange={({ currentTarget }) => {
                void take(currentTarget.files?.[0]);
                // Or the same file could not be chosen again after it was removed.
                currentTarget.value = '';
              }}
            />
          </label>
          .
        </p>
        <label class="inline">
          Format
          <select
            value={said ?? ''}
            onChange={(event) => void say(LIST_FORMATS.find((format) => format === event.currentTarget.value))}
          >
            <option value="">{list && !said ? `${list.format} (found)` : 'find out'}</option>
            {LIST_FORMATS.map((format) => (
              <option key={format} value={format}>
                {format}
              </option>
            ))}
          </select>
        </label>
      </div>
    </div>
  );
}

/**
 * Takes a file that is dropped anywhere: beside a field, the browser would open it in this page's place.
 *
 * @returns whether one is held over the page
 */
function useDroppedFile(take: (file: File | undefined) => Promise<void>): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(take);
  latest.current = take;

  useEffect(() => {
    const stop = new AbortController();
    const on = (type: 'dragover' | 'dragleave' | 'drop', then: (event: DragEvent) => void) => {
      const follow = (event: DragEvent) => {
        // Text goes where the browser puts it.
        if (event.dataTransfer?.types.includes('Files')) then(event);
      };
      addEventListener(type, follow, { signal: stop.signal });
    };
    on('dragover', (event) => {
      event.preventDefault();
      setOver(true);
    });
    on('dragleave', (event) => setOver(event.relatedTarget !== null));
    on('drop', (event) => {
      event.preventDefault();
      setOver(false);
      void latest.current(event.dataTransfer?.files[0]);
    });
    return () => stop.abort();
  }, []);
  return over;
}
