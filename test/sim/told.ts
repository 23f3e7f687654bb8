/**
 * What watchers are told, against the chain of chosen states. Each watcher's news are replayed on what it was told
 * before.
 *
 * Checks, all as `told`: a watcher is told of chosen states only, in the order of the chain; what it was told so far
 * makes each of them (who holds, waits and is kept a place, under which lease and token); every token and every ending
 * is told once, in order, and none is left out but where two states were compared; and once the faults are over,
 * nothing is missing up to the newest chosen state.
 */
import { everybody } from '../../src/lock/queue.ts';
import { EMPTY, type Grant, type LockState } from '../../src/lock/state.ts';
import { values } from '../../src/lock/tree.ts';
import { type Fact, isGrant, type News } from '../../src/peer/told.ts';
import { compareStamps } from '../../src/vote/ballot.ts';
import { type Chains, keyOf } from './chain.ts';
import { type Journal, Violation } from './journal.ts';

/** What a watcher makes of its news. */
interface Watcher {
  news: News;
  state: LockState;
  token: number;
  readonly held: Map<string, string>;
  readonly waiting: Set<string>;
  readonly kept: Set<string>;
  upgrade: string | undefined;
}

export class Told {
  private readonly chains: Chains;
  private readonly journal: Journal;
  /** By machine and scope; undefined: it watches, and was told nothing yet. */
  private readonly watchers = new Map<string, Watcher | undefined>();

  constructor(chains: Chains, journal: Journal) {
    this.chains = chains;
    this.journal = journal;
  }

  started(machine: number, scope: string): void {
    this.watchers.set(`${machine} ${scope}`, undefined);
  }

  isWatching(machine: number, scope: string): boolean {
    return this.watchers.has(`${machine} ${scope}`);
  }

  stopped(machine: number, scope: string): void {
    this.watchers.delete(`${machine} ${scope}`);
  }

  take(machine: number, news: News): void {
    const { scope, ballot, version, facts, compared, begins } = news;
    const key = `${machine} ${scope}`;
    if (!this.watchers.has(key)) return;
    const stamp = `${keyOf(ballot)} v${version}`;
    const fail = (why: string) => new Violation('told', `p${machine} of ${scope}: ${stamp} ${why}`);
    const state = version === 0 ? EMPTY : this.chains.chosenState(scope, ballot, version);
    if (state === undefined) throw fail('was not chosen');
    const watcher = this.watchers.get(key);
    this.journal.note('watched', machine, version, () => `p${machine} ${scope} ${stamp} ${inWords(news)}`);
    for (const { kind } of facts) this.journal.note(`watched ${kind}`, machine, 0, () => '');
    if (compared) this.journal.note('watched compared', machine, 0, () => '');
    if (watcher === undefined) {
      if (begins === null) throw fail('came before the beginning');
      this.watchers.set(key, begun(news, state));
      return;
    }
    const since = compareStamps(ballot, version, watcher.news.ballot, watcher.news.version);
    if (begins !== null ? since < 0 : since <= 0) throw fail('came out of order');
    for (const fact of facts) {
      const why = replay(watcher, fact, compared);
      if (why !== '') throw fail(`${fact.kind} ${fact.lockId}: ${why}`);
    }
    const [told, real] = [pictureOf(watcher), pictureOf(begun(news, state))];
    if (told !== real) throw fail(`is ${real}, was told as ${told}`);
    if (!compared && begins === null && watcher.token !== state.token)
      throw fail('has a token that was not told');
    const why = endings(watcher.state, state, facts, compared);
    if (why !== '') throw fail(why);
    watcher.token = state.token;
    watcher.state = state;
    watcher.news = news;
  }

  /** Who was not told yet what is chosen, if anybody. */
  get behind(): string | undefined {
    for (const [key, watcher] of this.watchers) {
      const scope = key.slice(key.indexOf(' ') + 1);
      const last = this.chains.chain(scope).at(-1)?.state ?? EMPTY;
      if (watcher === undefined) return `p${key} was told nothing`;
      const { token, retirements } = watcher.state;
      const [told, real] = [pictureOf(watcher), pictureOf(begun(watcher.news, last))];
      if (told !== real || token !== last.token || retirements !== last.retirements) {
        return `p${key} was told ${told}, token ${token}, not ${real}, token ${last.token}`;
      }
    }
    return undefined;
  }
}

function begun(news: News, state: LockState): Watcher {
  const held = new Map<string, string>(state.holders.map((grant) => [grant.lockId, holding(grant)]));
  const waiting = new Set<string>([...everybody(state.queue)].map(({ lockId }) => lockId));
  const kept = new Set<string>([...values(state.parked)].map(({ lockId }) => lockId));
  return { news, state, token: state.token, held, waiting, kept, upgrade: state.upgrade?.lockId };
}

function holding({ token, mode, leaseId, leaseMs, unclaimed }: Grant): string {
  return `${token}${mode}${leaseMs}@${leaseId}${unclaimed === null ? '' : '?'}`;
}

function pictureOf({ held, waiting, kept, upgrade }: Watcher): string {
  const holders = [...held].map(([lockId, how]) => `${lockId}=${how}`).sort();
  return `held by ${holders.join()} waiting ${[...waiting].sort()} kept ${[...kept].sort()} upgrading ${upgrade ?? ''}`;
}

/** Follows one fact. @returns why it does not fit what was told before, or ''. */
function replay(watcher: Watcher, { kind, lockId, token, of }: Fact, compared: boolean): string {
  const { held, waiting, kept } = watcher;
  const had = held.get(lockId);
  const isKnown = had !== undefined || waiting.has(lockId) || kept.has(lockId);
  let why = '';
  switch (kind) {
    case 'granted':
      if (isKnown) why = 'was there before';
      break;
    case 'promoted':
      if (!waiting.has(lockId)) why = 'did not wait';
      break;
    case 'claimed':
      if (had?.endsWith('?') !== true) why = 'was not unclaimed';
      break;
    case 'extended':
    case 'converted':
    case 'upgrading':
      if (had === undefined) why = 'did not hold';
      break;
    case 'stays':
      if (watcher.upgrade !== lockId) why = 'did not wait to write';
      break;
    case 'queued':
      if (had !== undefined || waiting.has(lockId)) why = 'was there before';
      break;
    case 'kept':
      if (!waiting.has(lockId) && had?.endsWith('?') !== true) why = 'did not wait';
      break;
    case 'ended':
      if (isKnown !== (of !== null)) why = isKnown ? 'was there' : 'was not there';
      break;
  }
  if (why !== '' && !compared) return why;
  if (kind === 'granted' || kind === 'promoted' || kind === 'converted') {
    if (compared ? token <= watcher.token : token !== watcher.token + 1)
      return `token after ${watcher.token}`;
    watcher.token = token;
  }
  if (kind === 'upgrading') watcher.upgrade = lockId;
  else if (kind !== 'extended' && kind !== 'claimed' && watcher.upgrade === lockId)
    watcher.upgrade = undefined;
  if (kind === 'upgrading' || kind === 'stays') return '';
  held.delete(lockId);
  waiting.delete(lockId);
  kept.delete(lockId);
  if (kind === 'queued') waiting.add(lockId);
  else if (kind === 'kept') kept.add(lockId);
  else if (kind !== 'ended') held.set(lockId, of !== null && isGrant(of) ? holding(of) : '');
  return '';
}

/** Each ending once, as the ring has it. @returns what is wrong, or ''. */
function endings(before: LockState, after: LockState, facts: readonly Fact[], compared: boolean): string {
  const told = facts.filter(({ kind }) => kind === 'ended');
  const known = told.filter(({ ending }) => ending !== null);
  if (!compared && known.length < told.length) return 'has an ending without a reason';
  const count = after.retirements - before.retirements;
  const real = after.retired.newest(count);
  const expected = real.map(({ lockId, ending }) => `${ending} ${lockId}`);
  // More than the ring remembers may end in one change: then its newest are the last that were told.
  const list = known.map(({ lockId, ending }) => `${ending} ${lockId}`).slice(-Math.max(expected.length, 1));
  if (known.length > count || list.join() !== expected.join()) return `ended ${expected}, told ${list}`;
  return '';
}

function inWords({ facts, compared, begins }: News): string {
  const words = facts.map(({ kind, lockId, token, ending }) => `${ending ?? kind} ${lockId} ${token}`);
  return `${begins === null ? '' : 'begins '}${compared ? 'compared: ' : ''}${words.join(', ')}`;
}
