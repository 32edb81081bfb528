import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { loadCore } from './core.ts';
import { explore } from './world.ts';

/**
 * One rule of the protocol, where it stands in the core, what stands there without it, and what then breaks; also the seed
 * from which on it is looked for, where it is seldom needed.
 */
const RULES: { rule: string; file: string; line: string; without: string; breaks: string[]; from?: number }[] = [
  {
    rule: 'an unanswered checkpoint is looked up before anything else',
    file: 'turn/checkpoint.ts',
    line: 'else if (stored.rev === next.rev) landed = stored;',
    without: 'else landed = sent;',
    breaks: ['counts-differ', 'outcome-twice', 'entry-lost', 'waiting-lost', 'never-ends'],
    from: 3700,
  },
  {
    rule: 'a checkpoint without outcomes does not raise seq',
    file: 'turn/checkpoint.ts',
    line: 'const seq = outcomes.length > 0 ? record.seq + 1 : record.seq;',
    without: 'const seq = record.seq + 1;',
    breaks: ['counts-differ', 'outcome-twice', 'pages-differ', 'sweep-failed'],
  },
  {
    rule: 'a worker that could not renew its lease stops by its own clock',
    file: 'model/limits.ts',
    line: 'FENCE_MS = 15 * SECOND',
    without: 'FENCE_MS = -HOUR',
    breaks: ['overlap', 'stale-start'],
  },
  {
    rule: 'nothing starts after a wait without another look at the lease',
    file: 'turn/work.ts',
    line: 'if (mustEnd() || !hosts.mayStart(host)) backlog.putBack(waiting);',
    without: 'if (false) backlog.putBack(waiting);',
    breaks: ['overlap', 'stale-start', 'too-many-connections'],
  },
  {
    rule: 'what is under way waits in the snapshot',
    file: 'turn/backlog.ts',
    line: 'const entries = [...taken, ...abroad];',
    without: 'const entries = [...abroad];',
    breaks: ['entry-lost'],
  },
  {
    rule: 'what settles while a checkpoint is written is left to the next one',
    file: 'turn/rounds.ts',
    line: 'settled.splice(0, snapshot.outcomes.length);',
    without: 'settled.splice(0);',
    breaks: ['entry-lost'],
  },
  {
    rule: 'of each seq the object of the highest epoch counts',
    file: 'batch/results.ts',
    line: 'best = { key, seq: part.seq, failed: part.failed };',
    without: 'best ??= { key, seq: part.seq, failed: part.failed };',
    breaks: ['pages-differ', 'failed-list-wrong'],
  },
  {
    rule: 'ending a cancelled shard makes its worker find another epoch, and waits for its lease',
    file: 'batch/control.ts',
    line: '(shard.owner && shard.leaseUntil > now)',
    without: 'false',
    breaks: ['overlap', 'stale-start', 'left-open'],
  },
  {
    rule: 'a batch cancelled while it is planned is closed only once no planner can be alive',
    file: 'batch/close.ts',
    line: 'if (shards.length === batch.shardCount) return sum;',
    without: 'return sum;',
    breaks: ['summary-wrong', 'entry-lost', 'cancelled-unasked', 'not-announced'],
  },
  {
    rule: 'whoever finds a closed batch announces it unless that is known to be done',
    file: 'batch/close.ts',
    line: 'if (batch.notifiedAt === undefined) {',
    without: 'if (false) {',
    breaks: ['not-closed', 'not-announced'],
  },
  {
    rule: "a redirect into another shard's host waits",
    file: 'turn/redirect-target.ts',
    line: 'if (owner !== undefined) throw new LeadsAbroad();',
    without: '',
    breaks: ['too-many-connections'],
  },
  {
    rule: "a connection that is lent to a large file counts in its host's limit",
    file: 'turn/hosts.ts',
    line: 'return isFree && lent < most && host.open + host.away < host.max;',
    without: 'return isFree && lent < most;',
    breaks: ['too-many-connections'],
  },
  {
    rule: 'the connections of a helper are not lent a second time',
    file: 'turn/hosts.ts',
    line: 'host.away += connections;',
    without: '',
    breaks: ['too-many-connections'],
    from: 800,
  },
  {
    rule: 'whoever takes a shard over leaves its helpers their connections',
    file: 'turn/helpers.ts',
    line: 'deps.loans.sendAway(await deps.find(helper.host), helper.connections)',
    without: '() => undefined',
    breaks: ['too-many-connections'],
  },
  {
    rule: 'a helper is held once',
    file: 'turn/help.ts',
    line: 'if (!offered || offered.owner || offered.endedAt !== undefined) return undefined;',
    without: 'if (!offered || offered.endedAt !== undefined) return undefined;',
    breaks: ['too-many-connections', 'stale-helper'],
    from: 1130,
  },
  {
    rule: 'parts are taken back from a helper only when its lease is over',
    file: 'turn/helpers.ts',
    line: 'owner ? leaseUntil <= now : isUnwanted',
    without: 'owner ? true : isUnwanted',
    breaks: ['stale-helper', 'too-many-connections'],
  },
  {
    rule: 'a helper that may have been sent is recalled, and not forgotten',
    file: 'turn/helpers.ts',
    line: 'if (out.order && !named.has(out.name)) home(out);',
    without: 'home(out);',
    breaks: ['stale-helper', 'too-many-connections', 'helper-left'],
  },
  {
    rule: 'a shard does not end while a helper is out',
    file: 'turn/helpers.ts',
    line: 'return outs.size;',
    without: 'return 0;',
    breaks: ['helper-left', 'too-many-connections'],
    from: 2020,
  },
  {
    rule: 'a park is part of the checkpoint',
    file: 'turn/hosts.ts',
    line: 'parkedUntil: freeAt(host),',
    without: 'parkedUntil: 0,',
    breaks: ['asked-early'],
  },
  {
    rule: 'every Retry-After is obeyed, also of faults that do not count',
    file: 'turn/hosts.ts',
    line: 'if (round === host.round || error.retryAt !== undefined)',
    without: 'if (round === host.round)',
    breaks: ['asked-early'],
  },
  {
    rule: 'an entry that its host fails too often while it works for others ends',
    file: 'turn/attempts.ts',
    line: 'if (slot?.host.down || exhausted)',
    without: 'if (slot?.host.down)',
    breaks: ['too-many-attempts', 'never-ends'],
  },
  {
    rule: 'the sweeper replaces lost tickets',
    file: 'batch/sweep.ts',
    line: 'await tickets.send([{ batchId: batch.id, shard: shard.shard }]);',
    without: '',
    breaks: ['never-ends'],
  },
];

const MOST_RUNS = 4000;
/** Inside the checkout, so that the copies find the same packages. */
const copies = new URL('../../.rules/', import.meta.url).pathname;

afterAll(() => rm(copies, { recursive: true, force: true }));

test.each(RULES.map((rule, i) => ({ ...rule, i })))(
  'it shows when this rule is taken away: $rule',
  { timeout: 0 },
  async (taken) => {
    const folder = `${copies}${taken.i}`;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await cp(new URL('../../core', import.meta.url).pathname, folder, { recursive: true });
    const text = await readFile(`${folder}/${taken.file}`, 'utf8');
    expect(text.split(taken.line), 'the rule stands in one place').toHaveLength(2);
    await writeFile(`${folder}/${taken.file}`, text.replace(taken.line, taken.without));

    const core = await loadCore(folder);
    const { from = 0 } = taken;
    for (let seed = from; seed < from + MOST_RUNS; seed++) {
      const { violation } = await explore(core, seed);
      if (!violation) continue;
      expect(taken.breaks).toContain(violation.kind);
      return;
    }
    expect.fail(`nothing broke in ${MOST_RUNS} runs`);
  },
);
