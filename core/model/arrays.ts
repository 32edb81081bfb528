/**
 * Takes `item` out of `items`, if it is there. For members that come and go with every file an array is kinder to the garbage
 * collector than a Set, which moves from table to table inside of V8: one of them that has grown old keeps all that follow
 * it from dying young, with all that is in them.
 */
export function remove<T>(items: T[], item: T): void {
  const at = items.indexOf(item);
  if (at >= 0) items.splice(at, 1);
}
