/**
 * The scopes that are watched through one voter: what it accepts and what it hears to be chosen becomes news.
 * Always true: a scope that nobody watches costs nothing here; a watched one is told all that is chosen, if not by the
 * proposer's word, which may be lost, then because this voter asks the others.
 */
import type { LockEvent } from '../lock/event.ts';
import type { Chosen, Report } from '../vote/messages.ts';
import type { ProposerHost, Task } from '../vote/task.ts';
import { Heap } from './heap.ts';
import { SURE_MAX_MS } from './limits.ts';
import { ScopeWatch } from './scope-watch.ts';
import type { Entry } from './scopes.ts';
import type { News } from './told.ts';

export interface WatchingHost extends ProposerHost {
  submit(scope: string, task: Task): void;
}

export class Watching {
  private readonly host: WatchingHost;
  private readonly timers = new Heap<ScopeWatch>();
  private news: News[] = [];

  constructor(host: WatchingHost) {
    this.host = host;
  }

  /** When the first watched scope wants to be made sure of, or Infinity. */
  get nextWake(): number {
    return this.timers.firstAt;
  }

  /** Watches the scope. If it is watched already, says once more with what the watch begins from here on. */
  add(entry: Entry): void {
    if (entry.watch === undefined) {
      entry.watch = new ScopeWatch(entry.scope, entry.register, this.host.now);
      this.arm(entry.watch);
    } else {
      const { begins } = entry.watch;
      if (begins !== undefined) this.news.push(begins);
    }
  }

  /** News of it that were not taken yet are dropped: they must not reach whoever watches it next. */
  remove(entry: Entry): void {
    if (entry.watch === undefined) return;
    this.timers.delete(entry.watch);
    entry.watch = undefined;
    this.news = this.news.filter(({ scope }) => scope !== entry.scope);
  }

  /** All news since the last call, in order. */
  take(): readonly News[] {
    const { news } = this;
    if (news.length > 0) this.news = [];
    return news;
  }

  /** The register of a watched scope has changed. @param events how, if it was not replaced whole. */
  accepted(watch: ScopeWatch, entry: Entry, events: readonly LockEvent[] | null): void {
    const { now, rules } = this.host;
    this.news.push(...watch.accepted(now, entry.register, events, rules));
    this.arm(watch);
  }

  chosen(watch: ScopeWatch, { ballot, version }: Chosen): void {
    const { now, rules } = this.host;
    this.news.push(...watch.chosen(now, ballot, version, rules));
    if (watch.isSure) watch.sure(now);
    this.arm(watch);
  }

  /** @returns whether that was the answer to a question of this watch. */
  report(watch: ScopeWatch, entry: Entry, from: number, report: Report): boolean {
    if (!watch.poll.take(from, report)) return false;
    const { register } = entry;
    const { now, rules, voters } = this.host;
    const version = watch.poll.chosenUnder(register.ballot);
    if (version >= 0) this.news.push(...watch.chosen(now, register.ballot, version, rules));
    // Not before a majority holds just this, and nothing newer.
    if (watch.poll.agreesWith(register, voters).result === 'won') {
      watch.sure(now);
      watch.poll.close();
    }
    this.arm(watch);
    return true;
  }

  private arm(watch: ScopeWatch): void {
    const at = watch.dueAt;
    if (watch.slot < 0 || at < watch.at) this.timers.set(watch, at);
  }

  /** Makes sure of what is due. */
  wake(): void {
    const { host, timers } = this;
    for (;;) {
      const watch = timers.pop(host.now);
      if (watch === undefined) return;
      if (watch.dueAt <= host.now) this.ask(watch);
      timers.set(watch, watch.dueAt);
    }
  }

  /**
   * Asks the voters what they hold. Once that did not help, reads the scope by a vote: that takes the ballot from
   * whoever leads, but brings what this voter lacks, and settles what nobody else would.
   */
  private ask(watch: ScopeWatch): void {
    const { host } = this;
    const { scope } = watch;
    const isAgain = watch.asked > 0;
    watch.ask(host.now);
    if (!host.rules.makesSure()) return;
    watch.poll.ask(host, scope);
    if (!isAgain) return;
    const deadline = host.now + SURE_MAX_MS;
    host.submit(scope, { command: { kind: 'read' }, deadline, from: -1, request: -1, sent: false });
  }
}
