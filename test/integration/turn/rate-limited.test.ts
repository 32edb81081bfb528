import { expect, test } from 'vitest';
import { createCrew, type Crew, type CrewOptions } from '../../helpers/crew.ts';
import { startOrigin, type Answer, type Origin } from '../../helpers/origin.ts';
import { createRandom } from '../../simulation/random.ts';

/** So many make shards worth their while; a deployed service has twice as many at least. */
const ENTRIES_PER_SHARD = 100;
const pathsOf = (entries: number) => Array.from({ length: entries }, (_, i) => `/${i}.bin`);

/** What a source allows; the file takes half to one and a half times `fileMs`. */
interface Rules {
  atOnce: number;
  perSecond: number;
  fileMs: number;
  /** Seconds, in the answers that refuse. */
  retryAfter?: number;
}

interface LimitedSource extends Origin {
  readonly refused: number;
}

/** A source that answers 429 to what is more than it allows: `perSecond` by a token bucket of a second's size. */
async function startLimitedSource(
  crew: Crew,
  paths: readonly string[],
  { atOnce, perSecond, fileMs, retryAfter }: Rules,
): Promise<LimitedSource> {
  const random = createRandom(7);
  let open = 0;
  let refused = 0;
  let tokens = perSecond;
  let filledAt = crew.clock.now();

  function admit(): boolean {
    const now = crew.clock.now();
    tokens = Math.min(perSecond, tokens + ((now - filledAt) * perSecond) / 1000);
    filledAt = now;
    if (open >= atOnce || tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  const answer: Answer = async ({ request, response }) => {
    if (!admit()) {
      refused += 1;
      response.writeHead(429, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }).end();
      return;
    }
    open += 1;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await crew.hold(gone.signal, fileMs * (0.5 + random()));
    response.end(request.url);
    open -= 1;
  };
  const origin = await startOrigin(Object.fromEntries(paths.map((path) => [path, answer])));
  return Object.defineProperty(origin as LimitedSource, 'refused', { get: () => refused });
}

/** Works a batch of so many files; answers what share of requests was refused, and how long it took. */
async function run(entries: number, rules: Rules, connectionsPerHost: number, options: CrewOptions = {}) {
  await using crew = createCrew(options);
  const paths = pathsOf(entries);
  const source = await startLimitedSource(crew, paths, rules);
  const id = await crew.submit(
    paths.map((path) => source.url(path)),
    { connectionsPerHost },
  );
  const seconds = (await crew.finish()) / 1000;
  const files = await crew.outcomes(id);
  const shards = (await crew.service.ledger.readBatch(id))?.shards.length;
  const asked = source.requests.length;
  const states = new Set(files.map((file) => file.state));
  await source.stop();
  return { files, states, shards, asked, refusedShare: source.refused / asked, seconds };
}

const SEVERAL = { limits: { connectionsPerShard: 4 } };
const BUSY = { atOnce: 4, perSecond: 10, fileMs: 100 };

test.each([
  { name: 'is all', rules: BUSY, connectionsPerHost: 16, shards: 4, atMost: 3 },
  {
    name: 'is told by Retry-After: 1',
    rules: { ...BUSY, retryAfter: 1 },
    connectionsPerHost: 16,
    shards: 4,
    atMost: 3,
  },
  { name: 'comes with long parks', rules: { ...BUSY, retryAfter: 30 }, connectionsPerHost: 16, shards: 4, atMost: 5 },
  { name: 'means slow files', rules: { ...BUSY, fileMs: 1000 }, connectionsPerHost: 16, shards: 4, atMost: 5 },
  { name: 'is all', rules: BUSY, connectionsPerHost: 64, shards: 16, atMost: 5 },
])(
  'a source that allows 4 at once and 10 a second, where that $name, refuses few requests of $shards shards and fails no entry',
  async ({ rules, connectionsPerHost, shards, atMost }) => {
    const entries = shards * ENTRIES_PER_SHARD;
    const result = await run(entries, rules, connectionsPerHost, SEVERAL);
    expect(result.shards).toBe(shards);
    expect(result.files).toHaveLength(entries);
    expect([...result.states]).toEqual(['done']);
    expect(result.refusedShare).toBeLessThan(0.15);
    expect(result.seconds).toBeLessThan((atMost * entries) / rules.perSecond);
  },
);

test.each([
  // A second's only request is as often another shard's.
  { perSecond: 1, connectionsPerHost: 16, shards: 4, share: 0.25 },
  { perSecond: 50, connectionsPerHost: 16, shards: 4, share: 0.15 },
  { perSecond: 50, connectionsPerHost: 64, shards: 16, share: 0.15 },
])(
  'a source that allows $perSecond a second refuses few requests of $shards shards and fails no entry',
  async ({ perSecond, connectionsPerHost, shards, share }) => {
    const entries = shards * ENTRIES_PER_SHARD;
    const result = await run(entries, { atOnce: Infinity, perSecond, fileMs: 300 }, connectionsPerHost, SEVERAL);
    expect(result.shards).toBe(shards);
    expect(result.files).toHaveLength(entries);
    expect([...result.states]).toEqual(['done']);
    expect(result.refusedShare).toBeLessThan(share);
  },
);

test('a source without limits has all its connections after a few rounds', async () => {
  const entries = 600;
  const fileMs = 1000;
  const { asked, seconds } = await run(entries, { atOnce: Infinity, perSecond: Infinity, fileMs }, 16);
  expect(asked).toBe(entries);
  // As if all 16 had been open from the start, and three rounds.
  expect(seconds).toBeLessThan((entries / 16 + 3) * (fileMs / 1000));
});
