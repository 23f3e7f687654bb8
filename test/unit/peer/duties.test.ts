/**
 * What a voter does of its own accord (duties.ts): looks sessions up and ends what lived with them, gives up places
 * that were kept for long, and tells gateways of what a change did.
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { LockEvent } from '../../../src/lock/event.ts';
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { Duties } from '../../../src/peer/duties.ts';
import { PLACE_KEPT_MS, REAP_EVERY_MS } from '../../../src/peer/limits.ts';
import type { Notice } from '../../../src/peer/messages.ts';
import type { Entry } from '../../../src/peer/scopes.ts';
import { implicitSession, scopeOfSession } from '../../../src/peer/sessions.ts';
import { loadRegister } from '../../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import { LINE_STEP_MS } from '../../../src/vote/limits.ts';
import { NEVER, type Task } from '../../../src/vote/task.ts';
import { ended, GATEWAY, held, id, promoted, scope, session, unclaimed, waiter } from '../lock/scene.ts';

const S = session('s');
const alive = scope({ holders: [held(id('s'), 'write', 1, { leaseMs: 6_000 })] });

class Post {
  now = 0;
  rank = 0;
  trusts = false;
  readonly entries = new Map<string, Entry>();
  readonly tasks: Task[] = [];
  readonly notices: { readonly gateway: string; readonly notice: Notice }[] = [];
  private readonly lines: string[] = [];
  readonly duties: Duties;

  constructor() {
    const post = this;
    this.duties = new Duties({
      get now() {
        return post.now;
      },
      peek: (of) => this.entries.get(of),
      state: (of) => this.entries.get(of)?.register.state,
      rank: () => this.rank,
      wall: () => 9,
      submit: (of, task) => {
        this.tasks.push(task);
        const { command } = task;
        const what = 'lockId' in command ? command.lockId : 'session' in command ? command.session : '';
        this.lines.push(`${command.kind} ${what} in ${of}`.replace('  ', ' '));
      },
      checkExpiry: (entry) => this.lines.push(`check ${entry.scope}`),
      notice: (gateway, notice) => this.notices.push({ gateway, notice }),
      obituary: (of) => this.lines.push(`obituary ${of}`),
      trustsOwnCopy: () => this.trusts,
    });
  }

  /** This voter has accepted the state of the scope. */
  has(of: string, state: LockState): Entry {
    const register = loadRegister({ ballot: NO_BALLOT, version: 1, state }, NO_BALLOT, this.now);
    const rest = {
      proposer: undefined,
      watch: undefined,
      watchAt: NEVER,
      reapAt: NEVER,
      kept: new Map(),
      news: null,
    };
    const figures = { acquires: 0, conflicts: 0, holds: 0, heldMs: 0 };
    const timer = { written: 0, free: false, touched: true, at: 0, slot: -1 };
    const entry: Entry = { scope: of, register, ...rest, ...figures, ...timer };
    this.entries.set(of, entry);
    this.duties.noteState(of, state);
    return entry;
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.duties.nextWake <= end) {
      this.now = Math.max(this.now, this.duties.nextWake);
      this.duties.wake();
    }
    this.now = end;
  }

  /** The newest command of its own came to this. */
  settled(state: LockState): void {
    const task = this.tasks.at(-1)!;
    this.duties.settled(task, { kind: 'decided', outcome: { kind: 'state' }, state, events: [], votes: 2 });
  }

  chosen(of: string, state: LockState, events: readonly LockEvent[], kind = 'released'): void {
    const outcome = { kind, repeat: false } as Outcome;
    this.duties.announce(of, { kind: 'decided', outcome, state, events, votes: 2 });
  }

  did(): string[] {
    return this.lines.splice(0);
  }
}

const heldWith = (of: string) => scope({ holders: [held(id('a'), 'write', 2, { session: session(of) })] });

describe('sessions (T5)', () => {
  test('a young copy of its own register will do', () => {
    const post = new Post();
    post.has(scopeOfSession(S), alive);
    post.has('x', heldWith('s'));
    post.wait(6_000);
    expect(post.did()).toEqual([]);
    post.wait(200); // 6,000 x 1.01, and the slack
    expect(post.did()).toEqual([`read in ${scopeOfSession(S)}`]);
  });

  test('none of its own: the register of the session is read; alive is left alone for its ttl', () => {
    const post = new Post();
    post.has('x', heldWith('s'));
    post.wait(0);
    expect(post.did()).toEqual([`read in ${scopeOfSession(S)}`]);
    expect(post.tasks.at(-1)).toMatchObject({ from: -1, deadline: 2_000 });
    post.settled(alive);
    post.wait(5_999);
    expect(post.did()).toEqual([]);
    post.wait(1);
    expect(post.did()).toEqual([`read in ${scopeOfSession(S)}`]);
  });

  test('dead, or never heard of: what lived with it is swept', () => {
    for (const state of [EMPTY, scope({ past: 'expired' })]) {
      const post = new Post();
      post.has('x', heldWith('s'));
      post.wait(0);
      post.did();
      post.settled(state);
      post.wait(0);
      expect(post.did()).toEqual(['sweep s in x']);
    }
  });

  test('an answer that is none kills nobody', () => {
    const post = new Post();
    post.has('x', heldWith('s'));
    post.wait(0);
    for (const kind of ['unknown', 'no_quorum'] as const) {
      post.duties.settled(post.tasks.at(-1)!, { kind, missing: 0 });
      post.wait(0);
      expect(post.did()).not.toContain('sweep s in x');
    }
  });

  test('the answer to a sweep is none to a look', () => {
    const post = new Post();
    post.has('x', heldWith('s'));
    post.has('y', heldWith('t'));
    post.wait(0); // both are looked up: numbers 0 and 1
    post.duties.died(S);
    post.wait(0);
    post.settled(EMPTY); // of the sweep
    post.wait(0);
    expect(post.did().filter((line) => line.startsWith('sweep t'))).toEqual([]);
  });

  test.each([
    ['ran out', 'expired', true],
    ['closed', 'released', true],
    ['beaten', 'extended', false],
    ['opened', 'granted', false],
  ])('a session that %s is told of by an obituary: %s %s', (_, kind, dies) => {
    const post = new Post();
    post.has('x', heldWith('s'));
    post.wait(0);
    post.did();
    post.chosen(scopeOfSession(S), EMPTY, [ended(id('s'), 'expired')], kind);
    post.wait(0);
    expect(post.did()).toEqual(dies ? ['obituary s', 'sweep s in x'] : []);
  });

  test('a session that was closed again, long ago, is no news', () => {
    const post = new Post();
    const outcome = { kind: 'released', token: 1 as never, repeat: true } as const;
    post.duties.announce(scopeOfSession(S), { kind: 'decided', outcome, state: EMPTY, events: [], votes: 2 });
    expect(post.did()).toEqual([]);
  });

  test('a session that was opened for one lock ends with it', () => {
    const post = new Post();
    const own = implicitSession(id('a'), 'x');
    post.has('x', heldWith(own));
    post.has('y', scope({ holders: [held(id('b'), 'write', 2, { session: S })] }));
    post.chosen('y', EMPTY, [ended(id('b'), 'released')]); // s is its client's, who may have other locks
    post.chosen('y', EMPTY, [ended(id('a'), 'released')]); // another scope's lock of that id
    expect(post.did()).toEqual([]);
    post.chosen('x', EMPTY, [ended(id('a'), 'released')]);
    expect(post.did()).toEqual([`release ${own} in ${scopeOfSession(own)}`]);
    post.duties.died(own);
    post.chosen('x', EMPTY, [ended(id('a'), 'released')]);
    expect(post.did()).toEqual([]);
  });
});

describe('news', () => {
  const after = scope({ holders: [held(id('b'), 'write', 42)] });

  test('a gateway is told who of its waiters was granted, with the grant and the count of retirements', () => {
    const post = new Post();
    post.chosen('x', after, [ended(id('a'), 'released'), promoted(id('b'), 42)]);
    expect(post.notices).toEqual([
      {
        gateway: GATEWAY,
        notice: {
          kind: 'notice',
          scope: 'x',
          grant: after.holders[0],
          votes: 2,
          retirements: after.retirements,
        },
      },
    ]);
  });

  test('so is one whose upgrade was served; one that converted what it holds knows', () => {
    const post = new Post();
    const converted = (gateway: typeof GATEWAY | null): LockEvent => {
      return { kind: 'converted', lockId: id('b'), mode: 'write', token: 42 as never, gateway };
    };
    post.chosen('x', after, [converted(GATEWAY)]);
    post.chosen('x', after, [converted(null)]);
    expect(post.notices.map(({ gateway }) => gateway)).toEqual([GATEWAY]);
  });

  test('who was promoted and has ended in the same stamp is no news', () => {
    const post = new Post();
    post.chosen('x', EMPTY, [promoted(id('b'), 42), ended(id('b'), 'released')]);
    expect(post.notices).toEqual([]);
  });
});

describe('leases', () => {
  test('the home looks as soon as one is over, the i-th in line i steps later, and again if it was to no avail', () => {
    const post = new Post();
    post.rank = 2;
    const entry = post.has('x', scope({ holders: [held(id('a'), 'write', 2, { leaseMs: 1_000 })] }));
    entry.watchAt = 1_010;
    post.now = 1_010;
    post.duties.look(entry);
    expect([post.did(), entry.watchAt]).toEqual([[], 1_010 + 2 * LINE_STEP_MS]);
    post.now = entry.watchAt;
    post.duties.look(entry);
    expect([post.did(), entry.watchAt]).toEqual([['check x'], post.now + LINE_STEP_MS]);
  });
});

describe('kept places', () => {
  const kept = () => {
    const post = new Post();
    const entry = post.has('x', scope({ parked: [waiter(id('a'), 1)] }));
    const look = (at: number) => {
      post.now = at;
      entry.reapAt = at;
      post.duties.look(entry);
      return post.did();
    };
    return { post, entry, look };
  };

  test('are given up once they were seen for long enough, and looked at until then', () => {
    const { entry, look } = kept();
    expect(look(100)).toEqual([]);
    expect(entry.reapAt).toBe(100 + REAP_EVERY_MS);
    expect(look(100 + PLACE_KEPT_MS - 1)).toEqual([]);
    expect(look(100 + PLACE_KEPT_MS)).toEqual(['reap a in x']);
  });

  test('the i-th in line waits i steps longer', () => {
    const { post, look } = kept();
    post.rank = 3;
    look(0);
    expect(look(PLACE_KEPT_MS)).toEqual([]);
    expect(look(PLACE_KEPT_MS + 3 * LINE_STEP_MS)).toEqual(['reap a in x']);
  });

  test('a place that was left and kept again begins anew', () => {
    const { entry, look } = kept();
    look(0);
    const before = entry.register.state;
    entry.register.state = scope({ waits: [waiter(id('a'), 1)] });
    expect(look(REAP_EVERY_MS)).toEqual([]);
    expect(entry.reapAt).toBe(NEVER);
    entry.register.state = before;
    expect(look(PLACE_KEPT_MS)).toEqual([]);
    expect(look(2 * PLACE_KEPT_MS)).toEqual(['reap a in x']);
  });
});

test('the entries of a session are asked for by its register’s scope only', () => {
  const post = new Post();
  post.has('x', heldWith('s'));
  post.has('y', scope({ holders: [unclaimed(waiter(id('b'), 1, { session: S }), 3)] }));
  expect(post.duties.entriesOf(scopeOfSession(S))).toEqual([
    { scope: 'x', lockId: 'a', token: 2 },
    { scope: 'y', lockId: 'b', token: 3 },
  ]);
  expect(post.duties.entriesOf('x')).toEqual([]);
});
