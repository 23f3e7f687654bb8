/**
 * Timers: which item is due first. An indexed binary heap, so that an item moves instead of being added again.
 * Always true: an item is at most once in the heap, at `slot`; no parent is due after its children.
 */
export interface Timed {
  /** When the item is due, by this peer's clock. */
  at: number;
  /** Its place in the heap, -1 when it is not in one. */
  slot: number;
}

export class Heap<T extends Timed> {
  private readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  /** When the first item is due, or Infinity. */
  get firstAt(): number {
    return this.items.length === 0 ? Number.POSITIVE_INFINITY : this.items[0]!.at;
  }

  /** Puts the item at this time, whether or not it is in the heap. Infinity takes it out. */
  set(item: T, at: number): void {
    if (at === Number.POSITIVE_INFINITY) {
      this.delete(item);
      return;
    }
    const later = item.slot >= 0 && at > item.at;
    item.at = at;
    if (item.slot < 0) {
      item.slot = this.items.length;
      this.items.push(item);
    }
    if (later) this.down(item.slot);
    else this.up(item.slot);
  }

  delete(item: T): void {
    const slot = item.slot;
    if (slot < 0) return;
    item.slot = -1;
    const last = this.items.pop()!;
    if (last === item) return;
    this.items[slot] = last;
    last.slot = slot;
    this.up(slot);
    this.down(last.slot);
  }

  /** Takes out the first item if it is due. */
  pop(now: number): T | undefined {
    const first = this.items[0];
    if (first === undefined || first.at > now) return undefined;
    this.delete(first);
    return first;
  }

  private up(from: number): void {
    let slot = from;
    const item = this.items[slot]!;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (this.items[parent]!.at <= item.at) break;
      this.place(this.items[parent]!, slot);
      slot = parent;
    }
    this.place(item, slot);
  }

  private down(from: number): void {
    let slot = from;
    const item = this.items[slot]!;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= this.items.length) break;
      if (child + 1 < this.items.length && this.items[child + 1]!.at < this.items[child]!.at) child++;
      if (this.items[child]!.at >= item.at) break;
      this.place(this.items[child]!, slot);
      slot = child;
    }
    this.place(item, slot);
  }

  private place(item: T, slot: number): void {
    this.items[slot] = item;
    item.slot = slot;
  }
}
