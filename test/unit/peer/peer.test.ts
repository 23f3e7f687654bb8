/** What a peer adds to its two halves (peer.ts): limits, ids of its gateway's sessions, what answers tell of sessions. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import type { LockId, SessionId } from '../../../src/lock/state.ts';
import { Holders } from '../../../src/peer/holders.ts';
import { LOCKS_PER_HOLDER_MAX } from '../../../src/peer/limits.ts';
import type { Entry } from '../../../src/peer/scopes.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';
import { held, id, scope, unclaimed, waiter } from '../lock/scene.ts';
import { acquire } from '../vote/host.ts';
import { waiting } from './gate.ts';
import { Home, SCOPE } from './home.ts';

const S = 's' as SessionId;
const release = (lockId: string): Command => {
  return { kind: 'release', lockId: lockId as LockId, gateway: null, force: null, at: 0 };
};

describe('locks of one holder', () => {
  const PER_SCOPE = 1_000;
  /** alice holds that many, as the disk says. */
  const holding = (count: number): Home => {
    const stored: [string, StoredRegister][] = [];
    for (let from = 0; from < count; from += PER_SCOPE) {
      const readers = Array.from({ length: Math.min(PER_SCOPE, count - from) }, (_, i) =>
        held(id(`r${from + i}`), 'read', i + 1, { holder: 'alice', leaseMs: 0 }),
      );
      const ballot = { round: 1, peer: 'p1', boot: 1 };
      stored.push([`many/${from}`, { ballot, version: 1, state: scope({ holders: readers }) }]);
    }
    return new Home(0.5, stored);
  };
  const limit = { kind: 'overloaded', limit: `${LOCKS_PER_HOLDER_MAX} locks of one holder` };

  test('one more than the limit is refused; those of others are not, nor what she has already', () => {
    const home = holding(LOCKS_PER_HOLDER_MAX - 1);
    home.forward(1, acquire('a', 'alice'));
    expect(home.answers()).toMatchObject([{ outcome: { kind: 'granted' } }]);
    home.forward(1, acquire('b', 'alice'), 'orders/2');
    expect(home.answers()).toEqual([limit]);
    home.forward(1, acquire('b', 'bob'), 'orders/2');
    home.forward(1, acquire('a', 'alice'));
    home.forward(1, { kind: 'extend', lockId: id('a'), leaseMs: 9_000, replaces: null });
    expect(home.answers()).toMatchObject([
      { outcome: { kind: 'granted', repeat: false } },
      { outcome: { kind: 'granted', repeat: true } },
      { outcome: { kind: 'extended' } },
    ]);
  });

  test('one less, and there is room', () => {
    const home = holding(LOCKS_PER_HOLDER_MAX);
    home.forward(1, acquire('b', 'alice'));
    expect(home.answers()).toEqual([limit]);
    home.forward(1, release('r0'), 'many/0');
    home.forward(1, acquire('b', 'alice'));
    // Voter 1, who has nothing of this, answers for the rest: what counts is what is registered here.
    expect(home.answers().filter(({ kind }) => kind === 'overloaded')).toEqual([]);
  });

  test('are counted by name as they come and go', () => {
    const holders = new Holders();
    const entry = { register: {}, holds: 0, heldMs: 0 } as unknown as Entry;
    const gone: string[] = [];
    const turn = (...grants: readonly ReturnType<typeof held>[]) => {
      const before = entry.register.state ?? scope({});
      entry.register.state = scope({ holders: grants });
      holders.changed(
        entry,
        before,
        before.holders.map(() => 100),
        250,
        ({ lockId }) => gone.push(lockId),
      );
      return [holders.of('alice'), holders.of('bob'), entry.holds, entry.heldMs];
    };
    const a = held(id('a'), 'read', 1, { holder: 'alice' });
    const b = held(id('b'), 'read', 2, { holder: 'alice' });
    const c = held(id('c'), 'read', 3, { holder: 'bob' });
    const d = unclaimed(waiter(id('d'), 1, { holder: 'bob', mode: 'read' }), 4);
    expect(turn(a, c)).toEqual([1, 1, 0, 0]);
    expect(turn(a, b, c, d)).toEqual([2, 2, 0, 0]);
    expect(turn(b, d)).toEqual([1, 1, 2, 300]);
    expect(turn(b)).toEqual([1, 0, 2, 300]); // nobody ever held it
    expect(turn()).toEqual([0, 0, 3, 450]);
    expect(gone).toEqual(['a', 'c', 'd', 'b']);
    expect(holders.of('nobody')).toBe(0);
  });
});

test('the same boot twice: the sessions of its gateway have other ids', () => {
  const opened = (random: number): string[] => {
    const home = new Home(random);
    home.ask(waiting('a'));
    return home.all().flatMap((message) => {
      const scope = 'scope' in message ? message.scope : '';
      return scope !== SCOPE && message.kind !== 'notice' ? [scope] : [];
    });
  };
  const [first] = opened(0.25);
  const [second] = opened(0.75);
  expect([first, second]).toEqual([expect.stringMatching(/p1-1-/), expect.stringMatching(/p1-1-/)]);
  expect(first).not.toBe(second);
});

describe('what lives with a session', () => {
  const home = () => {
    const all = new Home();
    all.forward(1, acquire('s'), scopeOfSession(S));
    all.forward(1, { ...acquire('a'), session: S, leaseMs: 0 });
    all.answers();
    return all;
  };
  const entries = (all: Home) =>
    all.answers().map((verdict) => (verdict.kind === 'decided' ? verdict.view.entries : undefined));

  test('is told to whoever beats it and asks', () => {
    const all = home();
    all.forward(
      1,
      { kind: 'extend', lockId: id('s'), leaseMs: 1, replaces: null, list: true },
      scopeOfSession(S),
    );
    expect(entries(all)).toEqual([[{ scope: SCOPE, lockId: 'a', token: 1 }]]);
  });

  test('and to nobody else: a beat that does not ask, what opens, reads or closes it, and what extends a lock', () => {
    const all = home();
    const beat = { kind: 'extend', lockId: id('s'), leaseMs: 1, replaces: null } as const;
    all.forward(1, beat, scopeOfSession(S));
    all.forward(1, acquire('s'), scopeOfSession(S));
    all.forward(1, { kind: 'read' }, scopeOfSession(S));
    all.forward(1, { kind: 'extend', lockId: id('a'), leaseMs: 1, replaces: null });
    all.forward(1, release('s'), scopeOfSession(S));
    expect(entries(all)).toEqual([[], [], [], [], []]);
  });
});
