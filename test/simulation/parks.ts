import type { ShardRecord } from '../../core/model/records.ts';
import type { WaitingHost } from '../../core/turn/waiting.ts';
import type { Actor } from './scheduler.ts';

interface Park {
  until: number;
  /** Checkpoints of its worker that landed since. */
  landed: number;
}

/** Until when hosts have put off whom: what each worker heard, and what each shard's checkpoints must know of it. */
export class Parks {
  private readonly ofWorkers = new Map<Actor, Map<string, Park>>();
  private readonly ofShards = new Map<string, Map<string, number>>();

  /** A host told a worker when to come back. */
  heard(worker: Actor, host: string, until: number): void {
    const parks = this.ofWorkers.get(worker) ?? new Map<string, Park>();
    this.ofWorkers.set(worker, parks.set(host, { until: Math.max(until, parks.get(host)?.until ?? 0), landed: 0 }));
  }

  /** A checkpoint landed. The second one after it heard of a park, or the release, was taken later and has it. */
  landed(worker: Actor, record: ShardRecord): void {
    for (const [host, park] of this.ofWorkers.get(worker) ?? []) {
      park.landed += 1;
      if (park.landed < 2 && record.owner) continue;
      const known = this.ofShard(record);
      known.set(host, Math.max(park.until, known.get(host) ?? 0));
    }
  }

  /** A worker took a shard, with these hosts in its waiting list. */
  taken(worker: Actor, record: ShardRecord, hosts: readonly WaitingHost[]): void {
    for (const { host, parkedUntil } of hosts) this.heard(worker, host.replace('https://', ''), parkedUntil);
    for (const [host, until] of this.ofShard(record)) this.heard(worker, host, until);
  }

  /** Before this time the worker must not ask the host. */
  until(worker: Actor, host: string): number {
    return this.ofWorkers.get(worker)?.get(host)?.until ?? 0;
  }

  private ofShard({ batchId, shard }: ShardRecord): Map<string, number> {
    const key = `${batchId}/${shard}`;
    const known = this.ofShards.get(key) ?? new Map<string, number>();
    this.ofShards.set(key, known);
    return known;
  }
}
