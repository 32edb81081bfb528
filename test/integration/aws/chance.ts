/**
 * Chance that belongs to what it decides, not to the order in which it is asked: uniform in [0, 1), the same for the
 * same seed and name in every run, whatever the sockets do meanwhile.
 */
export function createChance(seed: number): (name: string) => number {
  return (name) => {
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
  };
}
