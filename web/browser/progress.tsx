import type { StatusDocument } from '../../http/documents.ts';
import { byteSize, count, counted, duration, percent, threeDigits } from '../../core/model/text.ts';
import { isOpen } from './state.tsx';

const ENDINGS = ['done', 'skipped', 'failed', 'cancelled'] as const;

/** How far a batch is: in words, as a bar, and by how entries ended. */
export function Progress({ status }: { status: StatusDocument }) {
  const { total, pending, linesPlanned } = status;
  if (status.state === 'planning') {
    return (
      <section class="card" aria-label="Progress">
        <p class="big">Planning</p>
        <p class="muted">{counted(linesPlanned ?? 0, 'line')} read so far</p>
        <progress aria-label="The list is read and planned" />
      </section>
    );
  }

  const share = percent(total - pending, total);
  return (
    <section class="card" aria-label="Progress">
      <div class="spread">
        <p class="big">{share} %</p>
        <p class="muted end">
          {count(total - pending)} of {counted(total, 'file')} · {byteSize(status.bytes)}
          <br />
          {outlook(status)}
        </p>
      </div>
      <div
        class="progress"
        role="progressbar"
        aria-label="Files that have an outcome"
        aria-valuenow={share}
        aria-valuetext={`${share} %`}
      >
        {ENDINGS.map((ending) => (
          <div key={ending} class={ending} style={{ width: `${(100 * status[ending]) / Math.max(1, total)}%` }} />
        ))}
      </div>
      <dl class="counts">
        {ENDINGS.map((ending) => (
          <Count key={ending} name={ending} n={status[ending]} />
        ))}
        <Count name="pending" n={pending} />
      </dl>
    </section>
  );
}

function Count({ name, n }: { name: string; n: number }) {
  return (
    <div class={n > 0 ? name : 'none'}>
      <dt>{name}</dt>
      <dd>{count(n)}</dd>
    </div>
  );
}

/** When it will be over, or how fast it was. */
function outlook({ state, etaSeconds, averageRate, createdAt, finishedAt }: StatusDocument): string {
  if (etaSeconds !== undefined) return `about ${duration(etaSeconds)} left`;
  if (isOpen(state) || finishedAt === undefined) return state === 'running' ? 'no speed to tell the time by yet' : '';
  const seconds = (Date.parse(finishedAt) - Date.parse(createdAt)) / 1000;
  const { filesPerSecond, bytesPerSecond } = averageRate;
  return `in ${duration(seconds)}, ${threeDigits(filesPerSecond)} files/s, ${byteSize(bytesPerSecond)}/s`;
}
