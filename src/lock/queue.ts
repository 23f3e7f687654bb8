/**
 * Who waits for a scope, and in which order (L2).
 * Order: class (high, normal, low), then arrival. A waiter starts in the class of its priority and rises one class
 * each time that OVERTAKEN_MAX waiters which came after it were granted: counted, not timed, so that all agree.
 * Always true: arrivals are distinct and grow; `passed` holds the largest arrivals that were granted, largest first,
 * as far as somebody who still waits came before them. Whoever was granted with a later arrival has overtaken, so
 * the count of a waiter is how many of `passed` are later than its own arrival; among waiters of one priority it
 * never grows with arrival, so the first of each priority is always the next of it.
 * Values never change. All operations take time in the logarithm of the queue's length.
 */
import type { LockId, Priority, Waiter } from './state.ts';
import { first, get, rank, remove, set, sizeOf, type Tree, values } from './tree.ts';

/** After that many were granted that came later, a waiter rises one class. */
export const OVERTAKEN_MAX = 16;

/** Priorities, the strongest first: a class is an index. */
export const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low'];
const CLASSES = PRIORITIES.length;
/** What is passed beyond that changes no class. */
export const PASSED_MAX = OVERTAKEN_MAX * (CLASSES - 1);

type Line = Tree<number, Waiter>;

export interface Queue {
  /** By priority, in the order of arrival. */
  readonly lines: readonly [Line, Line, Line];
  readonly byId: Tree<string, Waiter>;
  readonly passed: readonly number[];
}

export const NOBODY: Queue = { lines: [undefined, undefined, undefined], byId: undefined, passed: [] };

export function lengthOf(queue: Queue): number {
  return sizeOf(queue.byId);
}

export function findWaiter(queue: Queue, lockId: LockId): Waiter | undefined {
  return get(queue.byId, lockId);
}

/** The class in which somebody of this priority and arrival waits now. */
export function classOf(queue: Queue, priority: Priority, arrival: number): number {
  let overtaken = 0;
  while (overtaken < queue.passed.length && queue.passed[overtaken]! > arrival) overtaken++;
  return Math.max(0, PRIORITIES.indexOf(priority) - Math.floor(overtaken / OVERTAKEN_MAX));
}

/** Who is granted next, or undefined. */
export function nextOf(queue: Queue): Waiter | undefined {
  let best: Waiter | undefined;
  let bestClass = CLASSES;
  for (const line of queue.lines) {
    const head = first(line);
    if (head === undefined) continue;
    const its = classOf(queue, head.priority, head.arrival);
    if (its < bestClass || (its === bestClass && head.arrival < best!.arrival)) {
      best = head;
      bestClass = its;
    }
  }
  return best;
}

/** How many wait ahead of somebody of this priority and arrival, who need not be in the queue. */
export function aheadOf(queue: Queue, priority: Priority, arrival: number): number {
  const own = classOf(queue, priority, arrival);
  let ahead = 0;
  for (const [base, line] of queue.lines.entries()) {
    // Arrivals before `stronger` are in a stronger class, those before `equal` in the same one or a stronger.
    const stronger = own === 0 ? Number.NEGATIVE_INFINITY : risenBefore(queue, base - own + 1);
    const equal = Math.min(risenBefore(queue, base - own), arrival);
    ahead += rank(line, Math.max(stronger, equal));
  }
  return ahead;
}

/** Whoever arrived before this was overtaken often enough to have risen `steps` classes. */
function risenBefore(queue: Queue, steps: number): number {
  if (steps <= 0) return Number.POSITIVE_INFINITY;
  return queue.passed[steps * OVERTAKEN_MAX - 1] ?? Number.NEGATIVE_INFINITY;
}

/** With this waiter, at the place of its arrival. */
export function join(queue: Queue, waiter: Waiter): Queue {
  return {
    lines: withLine(queue, waiter.priority, (line) => set(line, waiter.arrival, waiter)),
    byId: set(queue.byId, waiter.lockId, waiter),
    passed: queue.passed,
  };
}

/** Without this waiter, who was not granted. */
export function leave(queue: Queue, waiter: Waiter): Queue {
  const byId = remove(queue.byId, waiter.lockId);
  const lines = withLine(queue, waiter.priority, (line) => remove(line, waiter.arrival));
  return byId === undefined ? NOBODY : { lines, byId, passed: trimmed(lines, queue.passed) };
}

/** Somebody with this arrival was granted: whoever came before and still waits was overtaken. */
export function overtake(queue: Queue, arrival: number): Queue {
  const { lines, byId } = queue;
  if (byId === undefined) return queue;
  let at = 0;
  while (at < queue.passed.length && queue.passed[at]! > arrival) at++;
  if (at === PASSED_MAX) return queue;
  const passed = trimmed(lines, [...queue.passed.slice(0, at), arrival, ...queue.passed.slice(at)]);
  return { lines, byId, passed: passed.length > PASSED_MAX ? passed.slice(0, PASSED_MAX) : passed };
}

/** Everybody, in no order that means anything; see inOrder. */
export function everybody(queue: Queue): Generator<Waiter> {
  return values(queue.byId);
}

/** The waiters in the order of their classes as they are now, and of arrival: at most `most` of them. */
export function inOrder(queue: Queue, most: number): Waiter[] {
  const found: Waiter[] = [];
  const sources = queue.lines.map((line) => values(line));
  const heads = sources.map((source) => source.next());
  while (found.length < most) {
    let best = -1;
    let bestClass = CLASSES;
    for (const [i, head] of heads.entries()) {
      if (head.done === true) continue;
      const its = classOf(queue, head.value.priority, head.value.arrival);
      const before = best >= 0 && head.value.arrival < (heads[best]!.value as Waiter).arrival;
      if (its < bestClass || (its === bestClass && before)) {
        best = i;
        bestClass = its;
      }
    }
    if (best < 0) break;
    found.push(heads[best]!.value as Waiter);
    heads[best] = sources[best]!.next();
  }
  return found;
}

/** What nobody who waits came before counts for nobody. */
function trimmed(lines: Queue['lines'], passed: readonly number[]): readonly number[] {
  if (passed.length === 0) return passed;
  let earliest = Number.POSITIVE_INFINITY;
  for (const line of lines) earliest = Math.min(earliest, first(line)?.arrival ?? Number.POSITIVE_INFINITY);
  const counts = passed.findIndex((arrival) => arrival <= earliest);
  return counts < 0 ? passed : passed.slice(0, counts);
}

function withLine(queue: Queue, priority: Priority, change: (line: Line) => Line): Queue['lines'] {
  const index = PRIORITIES.indexOf(priority);
  const [high, normal, low] = queue.lines;
  if (index === 0) return [change(high), normal, low];
  return index === 1 ? [high, change(normal), low] : [high, normal, change(low)];
}
