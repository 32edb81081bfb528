import { describe, expect, it } from 'vitest';
import { hostRetryAt } from '../../../core/turn/retry.ts';

const NOW = 1_000_000;
const ask = (failures: number, retryAt: number | undefined, chance: number) =>
  hostRetryAt({ retryAt }, failures, NOW, () => chance) - NOW;

describe('a host that failed', () => {
  it('is asked again when it said, spread over a second', () => {
    expect(ask(1, NOW + 500, 0)).toBe(500);
    expect(ask(1, NOW + 500, 0.5)).toBe(1000);
  });

  it('is asked after a backoff if it said nothing, growing with the failures', () => {
    expect(ask(1, undefined, 0.5)).toBe(1000);
    expect(ask(2, undefined, 0.5)).toBe(4000);
    expect(ask(6, undefined, 0.5)).toBe(450_000);
  });

  it.each([
    ['now', NOW],
    ['in the past', NOW - 1],
    ['long ago', 0],
  ])('is asked after a backoff if it said: %s', (_name, retryAt) => {
    expect(ask(1, retryAt, 0.5)).toBe(1000);
    expect(ask(3, retryAt, 0.5)).toBe(16_000);
  });

  it('and said too little is given more time each time it fails again, but never less than it said', () => {
    expect(ask(2, NOW + 1000, 0.5)).toBe(4000);
    expect(ask(2, NOW + 60_000, 0)).toBe(60_000);
  });
});
