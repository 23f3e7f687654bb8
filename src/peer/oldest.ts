/**
 * Takes keys out of a map in the order in which they came.
 * One walk that goes on: a new one would step over all that was taken out before, thousands of holes for each key.
 */
export class Oldest<K, V> {
  private readonly map: Map<K, V>;
  private walk: IterableIterator<K> | undefined;

  constructor(map: Map<K, V>) {
    this.map = map;
  }

  /** Removes the key that has been in the map longest, as far as this walk got; undefined if the map is empty. */
  take(): K | undefined {
    for (let again = 0; again < 2; again++) {
      this.walk ??= this.map.keys();
      const next = this.walk.next();
      if (next.done !== true) {
        this.map.delete(next.value);
        return next.value;
      }
      this.walk = undefined;
    }
    return undefined;
  }
}
