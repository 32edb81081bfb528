import { useId, useState } from 'preact/hooks';
import { LIST_FORMATS, type ListFormat } from '../../core/model/list-format.ts';
import { bytes } from './format.ts';
import { formatOfFile, pastedList, type GivenList } from './list.ts';
import { visible } from './visible.ts';

interface ListFieldProps {
  list: GivenList | undefined;
  change: (list: GivenList | undefined) => void;
}

/** Takes a list: pasted, dropped or chosen. */
export function ListField({ list, change }: ListFieldProps) {
  const id = useId();
  const [text, setText] = useState('');
  const [said, setSaid] = useState<ListFormat>();
  const [over, setOver] = useState(false);
  const isFile = list?.fileName !== undefined;

  const paste = (text: string) => {
    setText(text);
    change(pastedList(text, said));
  };
  const take = async (file: File | undefined) => {
    if (file) change({ body: file, fileName: file.name, format: said ?? (await formatOfFile(file)) });
  };
  const say = (format: ListFormat | undefined) => {
    setSaid(format);
    if (!list) return;
    if (list.fileName === undefined) change(pastedList(text, format));
    else if (format) change({ ...list, format });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [file] = event.dataTransfer?.files ?? [];
    if (file) void take(file);
    else paste(event.dataTransfer?.getData('text') ?? '');
  };

  return (
    <div
      class={over ? 'list over' : 'list'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      {isFile ? (
        <div class="card file">
          <bdi class="wrap">
            <strong>{visible(list.fileName ?? '')}</strong> <span class="muted">{bytes(list.body.size)}</span>
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
            <input type="file" onChange={(event) => void take(event.currentTarget.files?.[0])} />
          </label>
          .
        </p>
        <label class="inline">
          Format
          <select
            value={said ?? ''}
            onChange={(event) => say(LIST_FORMATS.find((format) => format === event.currentTarget.value))}
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
