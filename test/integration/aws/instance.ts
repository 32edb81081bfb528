/** A function's instance, and how it dies: from one await to the next, nothing of it is heard again. */
export interface Life {
  /** Rejects when the instance dies. */
  readonly death: Promise<never>;
  readonly isDead: boolean;
  /** Lets the instance die at the `awaits`-th await of a port from now, before its call or after it. */
  endAfter: (awaits: number) => void;
  /** A port as the instance sees it. */
  wrap: <T extends object>(port: T) => T;
}

export class InstanceDeath extends Error {
  constructor() {
    super('The instance was killed.');
    this.name = 'InstanceDeath';
  }
}

export function createLife(): Life {
  const { promise: death, reject } = Promise.withResolvers<never>();
  death.catch(() => undefined);
  let left = Infinity;
  let isDead = false;

  /** One await; the last one never ends. */
  async function step(): Promise<void> {
    left -= 1;
    if (!isDead && left <= 0) {
      isDead = true;
      reject(new InstanceDeath());
    }
    if (isDead) await new Promise(() => undefined);
  }

  async function call<T>(effect: () => Promise<T>): Promise<T> {
    await step();
    try {
      return await effect();
    } finally {
      await step();
    }
  }

  function wrap<T extends object>(port: T): T {
    return new Proxy(port, {
      get(target, name, receiver) {
        const method: unknown = Reflect.get(target, name, receiver);
        if (typeof method !== 'function' || name === 'now') return method;
        if (name === 'list') {
          return async function* (...parameters: unknown[]) {
            await step();
            for await (const key of Reflect.apply(method, target, parameters) as AsyncIterable<string>) {
              await step();
              yield key;
            }
          };
        }
        return (...parameters: unknown[]) => call(() => Reflect.apply(method, target, parameters) as Promise<unknown>);
      },
    });
  }

  return {
    death,
    get isDead() {
      return isDead;
    },
    endAfter: (awaits) => (left = awaits),
    wrap,
  };
}
