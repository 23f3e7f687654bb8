/**
 * What a voter's index of sessions forgets as soon as locks end (sessions.ts, noteGone): never what a register still
 * names, whichever way the register came to be as it is.
 */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { everybody } from '../../../src/lock/queue.ts';
import type { LockState, SessionId } from '../../../src/lock/state.ts';
import { values } from '../../../src/lock/tree.ts';
import { Sessions, scopeOfSession } from '../../../src/peer/sessions.ts';
import { play, scene } from '../lock/moves.ts';
import {
  ended,
  GATEWAY,
  held as grant,
  id,
  NEW_LEASE,
  scope,
  session,
  unclaimed,
  waiter,
} from '../lock/scene.ts';
import { ballot, type Seat, seated } from './seat.ts';

const S = session('s');

/** What the index has of a session: `x a`. Prunes it, too. */
function entries(seat: Seat, of: SessionId): string[] {
  const found = seat.voter.duties.entriesOf(scopeOfSession(of));
  return found.map(({ scope: at, lockId }) => `${at} ${lockId}`).sort();
}

/** What the registers name of a session. */
function named(of: SessionId, states: ReadonlyMap<string, LockState>): string[] {
  const found: string[] = [];
  for (const [at, { holders, queue, parked }] of states) {
    for (const one of [...holders, ...everybody(queue), ...values(parked)]) {
      if (one.session === of) found.push(`${at} ${one.lockId}`);
    }
  }
  return found.sort();
}

describe('whatever happens to the registers', () => {
  /** Two runs of one scope that share their beginning: what this voter accepted of one was not chosen. */
  const runs = fc.record({
    scope: fc.constantFrom('x', 'y'),
    shared: scene,
    branches: fc.tuple(scene, scene),
    turns: fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 8 }),
  });

  test('the index has all that they name, and once pruned nothing else', () => {
    const met = { gone: 0, whole: 0, named: 0 };
    fc.assert(
      fc.property(fc.array(runs, { minLength: 1, maxLength: 2 }), (all) => {
        const seat = seated();
        const states = new Map<string, LockState>();
        for (const { scope: at, shared, branches, turns } of all) {
          const lines = branches.map(({ moves }) => [
            ...play(shared.worn, [...shared.moves.slice(0, 20), ...moves]),
          ]);
          const places = [0, 0];
          let last = -1;
          let round = seat.voter.register(at).promised.round;
          let version = seat.voter.register(at).version;
          for (const [branch, steps] of turns) {
            const line = lines[branch]!;
            for (let step = 0; step < steps && places[branch]! < line.length; step++) {
              const { events, after } = line[places[branch]!++]!;
              if (branch === last && events.length > 0) {
                seat.change(at, ballot(round), ++version, events);
                met.gone += events.filter(({ kind }) => kind === 'ended').length;
              } else if (branch !== last) {
                seat.accept(at, ballot(++round), ++version, after);
                met.whole++;
              }
              last = branch;
              states.set(at, after);
            }
          }
          if (last >= 0) expect(seat.voter.register(at).version).toBe(version);
        }
        for (const of of ['s1', 's2'] as SessionId[]) {
          const known = named(of, states);
          met.named += known.length;
          expect(entries(seat, of)).toEqual(known);
        }
      }),
      { numRuns: 300, seed: 4 },
    );
    expect(Math.min(met.gone, met.whole, met.named)).toBeGreaterThan(300);
  });
});

describe('a lock that is gone from the holders', () => {
  const B1 = ballot(1);
  const lives = { session: S, mode: 'read' as const };
  const holds = scope({ holders: [grant(id('a'), 'read', 1, lives)] });

  test('and from the register, is forgotten at once: nobody need look for it in the register', () => {
    const seat = seated();
    const forgets = vi.spyOn(seat.voter.duties, 'noteGone');
    seat.accept('x', B1, 1, holds);
    expect(forgets).not.toHaveBeenCalled();
    seat.change('x', B1, 2, [ended(id('a'), 'released')]);
    expect(forgets.mock.calls).toEqual([['x', holds.holders[0]]]);
    expect(entries(seat, S)).toEqual([]);
  });

  /** In the queue of the chosen state stands what this voter had seen granted, in one that was not chosen. */
  test.each([
    ['waits in the state that was chosen', { waits: [waiter(id('a'), 7, lives)] }],
    ['is kept a place in the state that was chosen', { parked: [waiter(id('a'), 7, lives)] }],
  ])('and %s: it is still named', (_, places) => {
    const seat = seated();
    seat.accept('x', B1, 1, holds);
    const other = grant(id('b'), 'write', 1);
    seat.accept('x', ballot(2), 1, scope({ holders: [other], ...places }));
    expect(entries(seat, S)).toEqual(['x a']);
    // And its death is swept from here.
    seat.voter.duties.died(S);
    seat.said();
    seat.wait(0);
    expect(seat.said()).toContain('prepare 3.p1 -> 1');
  });

  test('but was not claimed, and is kept its place: it is still named, there too', () => {
    const seat = seated();
    const promotion = unclaimed(waiter(id('a'), 7, { session: S }), 1);
    seat.accept('x', B1, 1, scope({ holders: [promotion] }));
    seat.change('x', B1, 2, [{ kind: 'deserted', gateway: GATEWAY }]);
    expect(entries(seat, S)).toEqual(['x a']);
    seat.change('x', B1, 3, [{ kind: 'moved', lockId: id('a'), gateway: GATEWAY, repeat: 1 }]);
    expect(entries(seat, S)).toEqual(['x a']);
  });

  test('while others of its session hold beside it: they are still named', () => {
    const seat = seated();
    const readers = ['a', 'b', 'c'].map((one, i) => grant(id(one), 'read', i + 1, lives));
    seat.accept('x', B1, 1, scope({ holders: readers }));
    seat.change('x', B1, 2, [ended(id('b'), 'released')]);
    expect(entries(seat, S)).toEqual(['x a', 'x c']);
    seat.change('x', B1, 3, [ended(id('a'), 'expired'), ended(id('c'), 'forced')]);
    expect(entries(seat, S)).toEqual([]);
  });

  test('an extension, a claim and a conversion end nothing', () => {
    const seat = seated();
    seat.accept('x', B1, 1, holds);
    seat.change('x', B1, 2, [
      { kind: 'extended', lockId: id('a'), leaseMs: 9, leaseId: NEW_LEASE },
      { kind: 'converted', lockId: id('a'), mode: 'write', token: 2 as never, gateway: null },
    ]);
    expect(entries(seat, S)).toEqual(['x a']);
  });
});

describe('the index by itself', () => {
  /** Beaten for ever. */
  class Index {
    now = 0;
    /** How many registers it has read. */
    reads = 0;
    readonly states = new Map<string, LockState>();
    readonly sessions: Sessions;

    constructor() {
      const index = this;
      this.sessions = new Sessions({
        get now() {
          return index.now;
        },
        state: (at) => {
          this.reads++;
          return this.states.get(at);
        },
        ownCopyUntil: () => this.now + 100,
        rank: () => 0,
        lookUp: () => {},
        sweep: () => {},
      });
    }

    granted(at: string, lockId: string): void {
      const granted = grant(id(lockId), 'read', 1, { session: S });
      this.sessions.noteEvents(at, [{ kind: 'granted', grant: granted }]);
    }
  }

  test('has one scope less to read with the last lock there that is gone', () => {
    const index = new Index();
    for (const [at, lockId] of ['xa', 'xb', 'ya', 'za'] as Iterable<string>) index.granted(at!, lockId!);
    const { sessions } = index;
    sessions.noteGone(S, 'x', id('a'));
    sessions.noteGone(S, 'y', id('a'));
    sessions.noteGone(S, 'z', id('other'));
    sessions.noteGone(S, 'never', id('a'));
    sessions.noteGone(session('never'), 'z', id('a'));
    sessions.entriesOf(S);
    expect(index.reads).toBe(2); // x and z
  });

  test('is not looked through again and again for locks that came and went beside those that stay', () => {
    const index = new Index();
    const stays = scope({ holders: [grant(id('a'), 'read', 1, { session: S })] });
    for (let i = 0; i < 500; i++) {
      index.states.set(`s${i}`, stays);
      index.sessions.noteState(`s${i}`, stays);
    }
    for (let i = 0; i < 5_000; i++) {
      index.granted(`x${i}`, 'a');
      index.sessions.noteGone(S, `x${i}`, id('a'));
      index.now += 1_000;
      index.sessions.wake();
    }
    expect(index.reads).toBe(500); // once, as it had come to so many
  });

  test('reads each register once to tell what a session has', () => {
    const index = new Index();
    const state = scope({ holders: ['a', 'b'].map((one) => grant(id(one), 'read', 1, { session: S })) });
    for (const at of ['x', 'y', 'z']) {
      index.states.set(at, state);
      index.sessions.noteState(at, state);
    }
    expect(index.sessions.entriesOf(S).length).toBe(6);
    expect(index.reads).toBe(3);
  });
});
