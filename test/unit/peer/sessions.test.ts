/**
 * sessions.ts by itself: what the index learns from events and states, when a session is looked up, and where its
 * death is swept (T5, T6).
 */
import { describe, expect, test } from 'vitest';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import { EMPTY, type LockId, type LockState, type SessionId } from '../../../src/lock/state.ts';
import { SESSION_SLACK_MS } from '../../../src/peer/limits.ts';
import { Sessions, scopeOfSession, sessionOfScope } from '../../../src/peer/sessions.ts';
import { LINE_STEP_MS } from '../../../src/vote/limits.ts';
import { ended, held, id, session, scope as stateOf, token, unclaimed, waiter } from '../lock/scene.ts';

const S = session('s');
const G = session('g');

class Ward {
  now = 0;
  readonly states = new Map<string, LockState>();
  /** When this voter's own copies run out. */
  readonly own = new Map<SessionId, number>();
  readonly ranks = new Map<string, number>();
  /** How often a register was read. */
  reads = 0;
  private readonly lines: string[] = [];
  readonly sessions: Sessions;

  constructor() {
    const ward = this;
    this.sessions = new Sessions({
      get now() {
        return ward.now;
      },
      state: (scope) => {
        this.reads++;
        return this.states.get(scope);
      },
      ownCopyUntil: (of) => this.own.get(of),
      rank: (scope) => this.ranks.get(scope) ?? 0,
      lookUp: (of) => this.lines.push(`look up ${of}`),
      sweep: (scope, of) => this.lines.push(`sweep ${scope} of ${of}`),
    });
  }

  /** These events happen to the scope. */
  happens(scope: string, ...events: LockEvent[]): void {
    this.states.set(scope, evolveAll(this.states.get(scope) ?? EMPTY, events));
    this.sessions.noteEvents(scope, events);
  }

  /** This state is taken whole. */
  takes(scope: string, state: LockState): void {
    this.states.set(scope, state);
    this.sessions.noteState(scope, state);
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.sessions.nextWake <= end) {
      this.now = Math.max(this.now, this.sessions.nextWake);
      this.sessions.wake();
    }
    this.now = end;
  }

  /** What it did since the last call. */
  did(): string[] {
    return this.lines.splice(0);
  }

  entries(of: SessionId): string[] {
    return this.sessions.entriesOf(of).map(({ scope, lockId, token: has }) => `${scope} ${lockId} ${has}`);
  }
}

const granted = (lockId: string, of: SessionId | null, has = 1): LockEvent => ({
  kind: 'granted',
  grant: held(id(lockId), 'write', has, { session: of }),
});
const queued = (lockId: string, gateway: SessionId, of: SessionId | null = null, arrival = 1): LockEvent => ({
  kind: 'queued',
  waiter: waiter(id(lockId), arrival, { session: of, gateway }),
});
const moved = (lockId: string, gateway: SessionId): LockEvent => {
  return { kind: 'moved', lockId: id(lockId), gateway, repeat: 1 };
};

test('a session has one register, and its scope is no other scope', () => {
  expect(sessionOfScope(scopeOfSession(S))).toBe(S);
  expect(sessionOfScope('s')).toBeUndefined();
});

describe('what the index learns', () => {
  test.each<readonly [string, SessionId, (ward: Ward) => void]>([
    ['a grant with a session', S, (ward) => ward.happens('x', granted('a', S))],
    ['a waiter with a session', S, (ward) => ward.happens('x', queued('a', G, S))],
    ['a waiter, its gateway', G, (ward) => ward.happens('x', queued('a', G, S))],
    ['a waiter that moved', G, (ward) => ward.happens('x', queued('a', session('old')), moved('a', G))],
    [
      'an upgrade',
      G,
      (ward) =>
        ward.happens('x', granted('a', null), {
          kind: 'upgrading',
          upgrade: { lockId: id('a'), gateway: G },
        }),
    ],
    [
      'a state: a holder',
      S,
      (ward) => ward.takes('x', stateOf({ holders: [held(id('a'), 'write', 1, { session: S })] })),
    ],
    [
      'a state: an unclaimed one',
      G,
      (ward) => ward.takes('x', stateOf({ holders: [unclaimed(waiter(id('a'), 1, { gateway: G }), 1)] })),
    ],
    [
      'a state: a waiter',
      S,
      (ward) => ward.takes('x', stateOf({ waits: [waiter(id('a'), 1, { session: S })] })),
    ],
    [
      'a state: its gateway',
      G,
      (ward) => ward.takes('x', stateOf({ waits: [waiter(id('a'), 1, { gateway: G })] })),
    ],
    [
      'a state: a kept place',
      S,
      (ward) => ward.takes('x', stateOf({ parked: [waiter(id('a'), 1, { session: S })] })),
    ],
    [
      'a state: an upgrade',
      G,
      (ward) =>
        ward.takes(
          'x',
          stateOf({ holders: [held(id('a'), 'read', 1)], upgrade: { lockId: id('a'), gateway: G } }),
        ),
    ],
  ])('%s', (_, of, happens) => {
    const ward = new Ward();
    happens(ward);
    ward.wait(0);
    expect(ward.did()).toContain(`look up ${of}`);
    ward.sessions.died(of);
    ward.wait(0);
    expect(ward.did()).toEqual([`sweep x of ${of}`]);
  });

  test('a lock without a session, and a kept place without one, are nobody’s to look at', () => {
    const ward = new Ward();
    ward.happens('x', granted('a', null));
    ward.takes('y', stateOf({ parked: [waiter(id('b'), 1, { gateway: G })] }));
    expect(ward.sessions.nextWake).toBe(Number.POSITIVE_INFINITY);
  });

  test('the locks and places of a session, as far as registers still name them', () => {
    const ward = new Ward();
    ward.happens('x', granted('a', S, 7));
    ward.happens('y', granted('b', null), queued('c', G, S));
    ward.happens('z', granted('d', S));
    ward.happens('z', ended(id('d'), 'released'));
    ward.takes('w', stateOf({ parked: [waiter(id('e'), 1, { session: S })] }));
    ward.happens('other', granted('f', session('t')));
    expect(ward.entries(S)).toEqual(['x a 7', 'y c 0', 'w e 0']);
    ward.states.delete('x'); // forgotten: it is free
    expect(ward.entries(S)).toEqual(['y c 0', 'w e 0']);
    expect(ward.entries(session('nobody'))).toEqual([]);
  });
});

describe('when a session is looked up', () => {
  test('its own copy is young: no question, and the next look when that runs out', () => {
    const ward = new Ward();
    ward.own.set(S, 5_000);
    ward.happens('x', granted('a', S));
    ward.wait(4_000);
    ward.own.set(S, 9_000); // a beat
    ward.wait(5_000 + SESSION_SLACK_MS - 1);
    expect(ward.did()).toEqual([]);
    ward.wait(1);
    expect(ward.did()).toEqual(['look up s']);
  });

  test('its own copy has run out, or there is none: a majority is asked, again and again', () => {
    const ward = new Ward();
    ward.happens('x', granted('a', S));
    ward.wait(0);
    expect(ward.did()).toEqual(['look up s']);
    ward.wait(2 * LINE_STEP_MS);
    expect(ward.did()).toEqual(['look up s', 'look up s']);
  });

  test('the i-th in the line of the session asks i steps later', () => {
    const ward = new Ward();
    ward.ranks.set(scopeOfSession(S), 2);
    ward.happens('x', granted('a', S));
    ward.wait(2 * LINE_STEP_MS - 1);
    expect(ward.did()).toEqual([]);
    ward.wait(1);
    expect(ward.did()).toEqual(['look up s']);
  });

  test('alive, as a majority says: the next look is a ttl later, and its step counts from then', () => {
    const ward = new Ward();
    ward.ranks.set(scopeOfSession(S), 1);
    ward.happens('x', granted('a', S));
    ward.wait(LINE_STEP_MS);
    expect(ward.did()).toEqual(['look up s']);
    ward.sessions.lookedUp(S, 6_000);
    ward.wait(6_000 + LINE_STEP_MS - 1);
    expect(ward.did()).toEqual([]);
    ward.wait(1);
    expect(ward.did()).toEqual(['look up s']);
  });

  test('no register names it any more: not looked up, and forgotten', () => {
    const ward = new Ward();
    ward.own.set(S, 1_000);
    ward.happens('x', granted('a', S));
    ward.wait(0);
    ward.happens('x', ended(id('a'), 'released'));
    ward.wait(60_000);
    expect([ward.did(), ward.sessions.nextWake]).toEqual([[], Number.POSITIVE_INFINITY]);
    expect(ward.sessions.isAlive(S)).toBe(false);
  });

  test('what is said of a session that nobody names is not remembered', () => {
    const ward = new Ward();
    ward.sessions.died(S);
    ward.sessions.lookedUp(S, undefined);
    ward.sessions.lookedUp(S, 1_000);
    expect(ward.sessions.nextWake).toBe(Number.POSITIVE_INFINITY);
    ward.happens('x', granted('a', S));
    ward.wait(0);
    expect(ward.did()).toEqual(['look up s']);
  });
});

describe('when it is dead', () => {
  test('nothing is swept on this voter’s own suspicion', () => {
    const ward = new Ward();
    ward.own.set(S, 100);
    ward.happens('x', granted('a', S));
    ward.wait(60_000);
    expect(new Set(ward.did())).toEqual(new Set(['look up s']));
  });

  test.each([
    ['a majority says so', (ward: Ward) => ward.sessions.lookedUp(S, undefined)],
    ['another peer says so', (ward: Ward) => ward.sessions.died(S)],
  ])('%s: swept where it is still named, and nowhere else', (_, told) => {
    const ward = new Ward();
    ward.happens('held', granted('a', S));
    ward.happens('waits', granted('b', null), queued('c', G, S));
    ward.happens('released', granted('d', S));
    ward.happens('released', ended(id('d'), 'released'));
    ward.happens('other', granted('e', session('t')));
    ward.own.set(S, 1e9).set(session('t'), 1e9).set(G, 1e9); // its copy may be as young as it likes
    ward.wait(0);
    told(ward);
    ward.wait(0);
    expect(ward.did()).toEqual(['sweep held of s', 'sweep waits of s']);
  });

  test('swept again until nobody is named; each scope by its own line', () => {
    const ward = new Ward();
    ward.ranks.set('x', 0).set('y', 2);
    ward.happens('x', granted('a', S));
    ward.happens('y', granted('b', S));
    ward.sessions.died(S);
    ward.wait(0);
    expect(ward.did()).toEqual(['sweep x of s']);
    ward.wait(LINE_STEP_MS);
    expect(ward.did()).toEqual(['sweep x of s']);
    ward.happens('x', ended(id('a'), 'crashed'));
    ward.wait(LINE_STEP_MS);
    expect(ward.did()).toEqual(['sweep y of s']);
    ward.happens('y', ended(id('b'), 'crashed'));
    ward.wait(60_000);
    expect([ward.did(), ward.sessions.nextWake]).toEqual([[], Number.POSITIVE_INFINITY]);
  });

  test('who comes to be named by it afterwards is swept too', () => {
    const ward = new Ward();
    ward.happens('x', granted('a', S));
    ward.sessions.died(S);
    ward.wait(100);
    ward.did();
    ward.happens('y', granted('b', S)); // an acquire that was under way
    ward.wait(0);
    expect(ward.did()).toEqual(['sweep x of s', 'sweep y of s']);
  });

  test('a gateway: where it is named as one, by whom it names now', () => {
    const ward = new Ward();
    ward.happens('x', granted('a', null), queued('b', G));
    ward.happens('y', granted('c', null, token(2)), queued('d', G));
    ward.happens('y', moved('d', session('another')));
    ward.own.set(session('another'), 1e9);
    ward.sessions.died(G);
    ward.wait(0);
    expect(ward.did()).toEqual(['sweep x of g']);
  });

  test('said twice is said once', () => {
    const ward = new Ward();
    ward.happens('x', granted('a', S));
    ward.sessions.died(S);
    ward.wait(0);
    ward.sessions.died(S);
    ward.wait(0);
    expect(ward.did()).toEqual(['sweep x of s']);
    expect(ward.sessions.isAlive(S)).toBe(false);
  });
});

test('a lock id that is granted under another session is not swept with the former one', () => {
  const ward = new Ward();
  ward.happens('x', granted('a', S));
  ward.happens('x', ended(id('a'), 'released'), granted('a', session('t')));
  ward.own.set(session('t'), 1e9);
  ward.sessions.died(S);
  ward.wait(0);
  expect(ward.did()).toEqual([]);
  expect(ward.entries(session('t'))).toEqual(['x a 1']);
});

test('many locks of one session in one scope are all named', () => {
  const ward = new Ward();
  const ids = ['a', 'b', 'c'] as LockId[];
  ward.takes('x', stateOf({ holders: ids.map((one, i) => held(one, 'read', i + 1, { session: S })) }));
  expect(ward.entries(S)).toEqual(['x a 1', 'x b 2', 'x c 3']);
});

describe('the index forgets what registers name no more', () => {
  const MANY = 20_000;
  const names = Array.from({ length: MANY }, (_, i) => `n${i}`);
  const beats = (ward: Ward, of: SessionId) => {
    ward.wait(1);
    ward.own.set(of, ward.now + 100); // it is beaten, so that its own copy is always young
  };
  /** How many registers are read to tell what the session has. */
  const cost = (ward: Ward, of: SessionId) => {
    const before = ward.reads;
    ward.sessions.entriesOf(of);
    return ward.reads - before;
  };

  test.each([
    [
      'one scope after the other',
      (name: string) => name,
      (ward: Ward, scope: string) => ward.states.delete(scope),
    ],
    ['one scope, again and again', () => 'x', () => {}],
  ])('locks, %s', (_, scopeOf, forgets) => {
    const ward = new Ward();
    ward.happens('kept', granted('kept', S));
    for (const name of names) {
      beats(ward, S);
      ward.happens(scopeOf(name), granted(name, S));
      ward.happens(scopeOf(name), ended(id(name), 'released'));
      forgets(ward, scopeOf(name));
    }
    ward.own.set(S, 1e9);
    ward.wait(200);
    expect(cost(ward, S)).toBeLessThan(500);
    expect(ward.entries(S)).toEqual(['kept kept 1']);
  });

  test('scopes where a gateway has nobody any more', () => {
    const ward = new Ward();
    ward.happens('kept', granted('b', null), queued('kept', G));
    for (const name of names) {
      beats(ward, G);
      ward.happens(name, granted('b', null), queued('c', G));
      ward.happens(name, ended(id('c'), 'cancelled'));
    }
    ward.own.set(G, 1e9);
    ward.wait(200);
    expect(cost(ward, G)).toBeLessThan(500);
    ward.did();
    ward.sessions.died(G);
    ward.wait(0);
    expect(ward.did()).toEqual(['sweep kept of g']);
  });

  test('but nothing that they do name, however much', () => {
    const ward = new Ward();
    for (const name of names.slice(0, 2_000)) {
      beats(ward, S);
      ward.happens(name, granted(name, S), queued(`${name}-w`, G, S));
    }
    expect(ward.entries(S).length).toBe(4_000);
    ward.own.set(G, 1e9);
    ward.sessions.died(S);
    ward.wait(0);
    expect(ward.did().filter((line) => line.startsWith('sweep')).length).toBe(2_000);
  });

  test('to tell the locks of a session forgets as well', () => {
    const ward = new Ward();
    for (const name of names.slice(0, 2_000)) {
      ward.happens(name, granted(name, S));
      ward.happens(name, ended(id(name), 'released'));
    }
    expect([cost(ward, S) >= 2_000, cost(ward, S)]).toEqual([true, 0]);
  });
});
