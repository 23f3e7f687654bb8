/**
 * True time of a run, in milliseconds: events in order of time, ties in order of arrival.
 */
interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Timeline {
  now = 0;
  private order = 0;
  private readonly heap: Event[] = [];

  /** Runs it after this many milliseconds of true time. */
  after(ms: number, run: () => void): void {
    this.push({ at: this.now + Math.max(0, ms), order: this.order++, run });
  }

  /** Runs events until `until` or until none is left. */
  runUntil(until: number): void {
    while (this.heap.length > 0 && this.heap[0]!.at <= until) {
      const event = this.pop();
      this.now = event.at;
      event.run();
    }
    this.now = Math.max(this.now, until);
  }

  private before(a: Event, b: Event): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  private pop(): Event {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
