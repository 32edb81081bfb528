import { createRandom } from './random.ts';

/** Something that runs and can die: a worker, a request to the API, a run of the sweeper. */
export interface Actor {
  name: string;
  alive: boolean;
  frozenUntil: number;
  /** Whether time ever passed it by: it then may have held on to things longer than it should. */
  wasFrozen: boolean;
}

interface Op {
  actor: Actor;
  name: string;
  /** Whether the network can play its tricks on it. */
  remote: boolean;
  apply: () => unknown;
  answer: (value: unknown) => void;
  refuse: (error: Error) => void;
  tries: number;
}

interface Timer {
  actor: Actor;
  at: number;
  fire: () => void;
}

/** How often an SDK sends a request again after a time-out or a throttle, before its caller hears of it. */
const SDK_RETRIES = 2;

/** Alarms in one stretch of time; more means that someone waits for nothing. */
const MOST_RINGS = 10_000;

/** An answer that never came, or came too late. */
export class Timeout extends Error {
  override name = 'Timeout';
}

/**
 * Runs actors one remote call at a time, in an order and with faults drawn from a seed. A call may be carried out and
 * answered; carried out and its answer lost; left on the wire, to land later or never; refused; or kill its caller.
 */
export class Scheduler {
  now = 1_700_000_000_000;
  /** No more faults. */
  calm = false;
  readonly trace: string[] = [];
  readonly random: () => number;
  private actors: Actor[] = [];
  private ops: Op[] = [];
  private timers: Timer[] = [];
  private floating: Op[] = [];
  private readonly faulty: boolean;

  constructor(seed: number, faulty: boolean) {
    this.random = createRandom(seed);
    this.faulty = faulty;
  }

  chance(p: number): boolean {
    return this.random() < p;
  }

  int(n: number): number {
    return Math.floor(this.random() * n);
  }

  log(line: string): void {
    this.trace.push(`${((this.now - 1_700_000_000_000) / 1000).toFixed(3)} ${line}`);
  }

  /** Starts an actor. What it does after its death has no effect, and its promises stay open for ever. */
  spawn(name: string, body: (actor: Actor) => Promise<unknown>): Actor {
    const actor: Actor = { name, alive: true, frozenUntil: 0, wasFrozen: false };
    this.actors.push(actor);
    body(actor)
      .catch((error: unknown) => {
        this.log(`${name} fails: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
        if (error instanceof Error && !(error instanceof Timeout)) this.unexpected(error);
      })
      .finally(() => (actor.alive = false));
    return actor;
  }

  /** Errors of the core itself end the run, whoever swallows them. */
  private unexpected(error: Error): void {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) throw error;
  }

  kill(actor: Actor, why: string): void {
    this.log(`${actor.name} DIES ${why}`);
    actor.alive = false;
  }

  freeze(actor: Actor, ms: number): void {
    this.log(`${actor.name} FREEZES`);
    actor.frozenUntil = this.now + ms;
    actor.wasFrozen = true;
  }

  /** A remote call of an actor. */
  call<T>(
    actor: Actor,
    name: string,
    apply: () => T,
    { remote = true, signal }: { remote?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const refuse = (error: Error) => actor.alive && reject(error);
      const op: Op = {
        actor,
        name,
        remote,
        apply,
        tries: 0,
        answer: (value) => actor.alive && resolve(value as T),
        refuse,
      };
      this.ops.push(op);
      signal?.addEventListener('abort', () => {
        const at = this.ops.indexOf(op);
        // What an aborted call has sent may still arrive.
        if (at >= 0 && op.remote) this.floating.push(op);
        if (at >= 0) this.ops.splice(at, 1);
        refuse(signal.reason as Error);
      });
    });
  }

  sleep(actor: Actor, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const timer: Timer = { actor, at: this.now + Math.max(0, ms), fire: () => actor.alive && resolve() };
      this.timers.push(timer);
      signal?.addEventListener('abort', () => {
        this.timers = this.timers.filter((other) => other !== timer);
        if (actor.alive) reject(signal.reason as Error);
      });
    });
  }

  running(): Actor[] {
    this.actors = this.actors.filter((actor) => actor.alive);
    return this.actors.filter((actor) => actor.frozenUntil <= this.now);
  }

  /** Whether an actor is left. */
  busy(): boolean {
    return this.actors.some((actor) => actor.alive);
  }

  get onTheWire(): number {
    return this.floating.length;
  }

  private ready(): Op[] {
    this.ops = this.ops.filter((op) => op.actor.alive);
    return this.ops.filter((op) => op.actor.frozenUntil <= this.now);
  }

  /** Carries out one call, if there is one. */
  step(): boolean {
    const ready = this.ready();
    const op = ready[this.int(ready.length)];
    if (!op) return false;
    this.ops.splice(this.ops.indexOf(op), 1);
    this.carryOut(op, this.calm || !this.faulty || !op.remote ? 1 : this.random());
    return true;
  }

  private carryOut(op: Op, x: number): void {
    if (x < 0.02) {
      const y = this.random();
      if (y < 0.4) this.apply(op);
      else if (y < 0.7) this.floating.push(op);
      this.kill(op.actor, `at ${op.name}`);
    } else if (x < 0.06) {
      this.apply(op);
      this.timeOut(op, 'answer lost');
    } else if (x < 0.1) {
      this.floating.push({ ...op });
      this.timeOut(op, 'still on the wire');
    } else if (x < 0.12) {
      this.timeOut(op, 'refused');
    } else {
      const { value, error } = this.apply(op);
      if (error) op.refuse(error);
      else op.answer(value);
    }
  }

  private timeOut(op: Op, why: string): void {
    this.log(`${op.actor.name} ${op.name}: ${why}`);
    op.tries += 1;
    if (op.tries > SDK_RETRIES) op.refuse(new Timeout(`${op.name}: no answer`));
    else this.ops.push(op);
  }

  private apply(op: Op): { value?: unknown; error?: Error } {
    try {
      const value = op.apply();
      this.log(`${op.actor.name} ${op.name} -> ${typeof value === 'boolean' ? String(value) : 'ok'}`);
      return { value };
    } catch (error) {
      this.log(`${op.actor.name} ${op.name} -> ${String(error)}`);
      return { error: error as Error };
    }
  }

  /** A request that was left on the wire arrives, or is lost for good. */
  land(): void {
    const [op] = this.floating.splice(this.int(this.floating.length), 1);
    if (!op || this.chance(0.3)) return;
    this.log('LATE:');
    this.apply(op);
  }

  /** Lets time pass; everyone's alarms ring on time, but for the frozen, whose alarms ring when they thaw. */
  async advance(ms: number, flush: () => Promise<void>): Promise<void> {
    const until = this.now + ms;
    let rings = 0;
    for (;;) {
      this.timers = this.timers.filter((timer) => timer.actor.alive);
      let next: Timer | undefined;
      for (const timer of this.timers) {
        const at = Math.max(timer.at, timer.actor.frozenUntil);
        if (at <= until && (!next || at < Math.max(next.at, next.actor.frozenUntil))) next = timer;
      }
      if (!next) break;
      this.now = Math.max(this.now, next.at, next.actor.frozenUntil);
      this.timers.splice(this.timers.indexOf(next), 1);
      next.fire();
      await flush();
      if (++rings > MOST_RINGS) throw new Error('Alarms ring without end.');
    }
    this.now = until;
  }

  /** Milliseconds until the next alarm of anyone. */
  untilNextAlarm(): number {
    const at = this.timers.filter((t) => t.actor.alive).map((t) => Math.max(t.at, t.actor.frozenUntil));
    return Math.min(...at) - this.now;
  }
}
