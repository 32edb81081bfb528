import type { ProblemDocument } from '../../http/problem.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { visible } from './visible.ts';

/** What went wrong, as the service or the page says it. */
export function ErrorNote({ error }: { error: unknown }) {
  if (error instanceof ProblemError) return <ProblemNote problem={error.problem} />;
  return (
    <div class="note bad" role="alert">
      <p>{error instanceof Error ? error.message : String(error)}</p>
    </div>
  );
}

export function ProblemNote({ problem: { title, detail, errors = [] } }: { problem: ProblemDocument }) {
  return (
    <div class="note bad" role="alert">
      <h2>{title}</h2>
      <p class="wrap">{visible(detail)}</p>
      {errors.length > 0 && (
        <ul class="problems">
          {errors.map(({ line, column, field, value, reason }) => (
            <li class="wrap">
              {line !== undefined && (
                <strong>
                  Line {line}
                  {column !== undefined && `, column ${column}`}:{' '}
                </strong>
              )}
              {field !== '' && <code>{visible(field)}</code>}
              {value !== undefined && <bdi class="value"> “{visible(value)}”</bdi>} {visible(reason)}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
