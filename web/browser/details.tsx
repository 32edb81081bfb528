import type { ComponentChildren } from 'preact';
import type { StatusDocument, SummaryDocument } from '../../http/documents.ts';
import { count } from '../../core/model/text.ts';
import { time } from './format.ts';
import { usePolled } from './polling.ts';
import { visible } from './visible.ts';

/** What is rarely asked for: times, shards, options, cost. */
export function Details({ status }: { status: StatusDocument }) {
  const { id, createdAt, finishedAt, deadline, duplicates, retrying, shards, options, links } = status;
  const summary = usePolled<SummaryDocument>(links.summary && `batches/${id}/summary`);
  const cost = summary.data?.cost;
  return (
    <details class="card">
      <summary>Details and options</summary>
      <dl class="facts">
        <Fact name="Id">
          <code>{id}</code>
        </Fact>
        <Fact name="Started">{time(createdAt)}</Fact>
        <Fact name={finishedAt ? 'Ended' : 'Deadline'}>{time(finishedAt ?? deadline)}</Fact>
        <Fact name="Shards">
          {count(shards.total)}, {count(shards.finished)} finished, {count(shards.working)} being worked
        </Fact>
        <Fact name="Retrying">{count(retrying)}</Fact>
        <Fact name="Duplicates">{count(duplicates)} left out</Fact>
        {cost && (
          <Fact name="Cost">
            about ${cost.dollars.toFixed(2)}, by the prices of {cost.region}
          </Fact>
        )}
        {flatten(options).map(([option, value]) => (
          <Fact key={option} name={option}>
            <bdi>{visible(value)}</bdi>
          </Fact>
        ))}
      </dl>
    </details>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="wrap">{children}</dd>
    </div>
  );
}

/** Options with those in groups as `timeouts.idleMs`. */
function flatten(options: object, above = ''): [string, string][] {
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value, `${above}${name}.`)
      : [[above + name, value === '' ? 'none' : String(value)]],
  );
}
