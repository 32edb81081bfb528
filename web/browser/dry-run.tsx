import type { DryRunDocument } from '../../http/documents.ts';
import { byteSize, counted, duration } from '../../core/model/text.ts';
import { visible } from './visible.ts';

const SHOWN_HOSTS = 5;

/** What a list would start. */
export function DryRun({ dryRun }: { dryRun: DryRunDocument }) {
  const { total, duplicates, hosts, firstKeys, estimate } = dryRun;
  return (
    <section class="card" aria-labelledby="dry-run" role="status">
      <h2 id="dry-run">The list is in order</h2>
      <p>
        {counted(total, 'file')} of {counted(hosts.total, 'host')}
        {duplicates > 0 && `, ${counted(duplicates, 'duplicate')} left out`}: about {duration(estimate.seconds)} and{' '}
        {byteSize(estimate.bytes)}
        {estimate.cost && `, for about $${estimate.cost.dollars.toFixed(2)}`}.
      </p>
      <div class="columns">
        <div>
          <h3>Largest hosts</h3>
          <ul class="bars">
            {hosts.largest.slice(0, SHOWN_HOSTS).map(({ host, entries, connections }) => (
              <li key={host}>
                <bdi class="wrap">{visible(host)}</bdi>
                <span class="muted figures end">
                  {counted(entries, 'file')}, {connections} at once
                </span>
              </li>
            ))}
          </ul>
        </div>
        <div>
          <h3>First keys</h3>
          <ul class="keys">
            {firstKeys.map((key) => (
              <li key={key}>
                <bdi class="wrap">{visible(key)}</bdi>
              </li>
            ))}
          </ul>
        </div>
      </div>
      <p class="hint">Assumed: {estimate.assumptions.join('; ')}.</p>
    </section>
  );
}
