/**
 * What a voter gives to the disk of a register: the events since the last write where there is such a past, else the
 * whole. Whatever is done to it, base and events together are the register.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import type { LeaseId, LockState, SessionId } from '../../../src/lock/state.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';
import { sameBallot } from '../../../src/vote/ballot.ts';
import { ended, held as grantOf, id } from '../lock/scene.ts';
import { ballot, free, held, seated } from './seat.ts';

const B1 = ballot(1);
const granted = (lockId: string, token: number): LockEvent => {
  return { kind: 'granted', grant: grantOf(id(lockId), 'write', token) };
};

test('a register that was never written is written whole, then by events, one batch after the other', () => {
  const seat = seated();
  seat.accept('s', B1, 1, free(1));
  expect(seat.take().registers.get('s')).toMatchObject({ events: null, register: { version: 1 } });
  seat.land();
  const first = [granted('a', 2)];
  const second = [ended(id('a'), 'released'), granted('b', 3)];
  seat.change('s', B1, 2, first);
  seat.change('s', B1, 3, second);
  expect(seat.take().registers.get('s')).toMatchObject({
    events: [...first, ...second],
    from: 1,
    register: { version: 3 },
  });
  const third = [ended(id('b'), 'released')];
  seat.change('s', B1, 4, third); // the batch before is still under way
  seat.land();
  expect(seat.take().registers.get('s')).toMatchObject({ events: third, from: 3, register: { version: 4 } });
});

test('a state that was taken whole makes the next write whole, whatever came before and after it', () => {
  const seat = seated();
  seat.accept('s', B1, 1, free(1));
  seat.flush();
  seat.change('s', B1, 2, [granted('a', 2)]);
  seat.accept('s', B1, 3, held());
  seat.change('s', B1, 4, [ended(id('a'), 'released')]);
  expect(seat.take().registers.get('s')).toMatchObject({ events: null, register: { version: 4 } });
  seat.land();
  seat.change('s', B1, 5, [granted('b', 3)]);
  expect(seat.take().registers.get('s')).toMatchObject({ events: [granted('b', 3)], from: 4 });
});

test('what was handed over is not changed by what comes later', () => {
  const seat = seated();
  seat.accept('s', B1, 1, free(1));
  seat.flush();
  seat.change('s', B1, 2, [granted('a', 2)]);
  const write = seat.take().registers.get('s')!;
  const copy = structuredClone(write);
  seat.change('s', B1, 3, [ended(id('a'), 'released')]);
  expect(write).toEqual(copy);
});

test('a scope that was forgotten and came back goes on with events from what was read', () => {
  const seat = seated();
  seat.prepare('s', B1);
  seat.accept('s', B1, 1, free(1));
  seat.flush();
  seat.voter.forgetFree();
  seat.change('s', B1, 2, [granted('a', 2)]);
  expect(seat.take().registers.get('s')).toMatchObject({ events: [granted('a', 2)], from: 1 });
});

const SCOPES = ['s', scopeOfSession('s' as SessionId)] as const;

interface Move {
  readonly what: 'events' | 'beat' | 'state' | 'rival' | 'take' | 'land' | 'restart' | 'forget';
  readonly scope: (typeof SCOPES)[number];
}
const times = (what: Move['what'], count: number) => new Array<Move['what']>(count).fill(what);
const move: fc.Arbitrary<Move> = fc.record({
  what: fc.constantFrom<Move['what'][]>(
    ...times('events', 8),
    ...times('beat', 4),
    ...times('state', 1),
    ...times('rival', 2),
    ...times('take', 4),
    ...times('land', 4),
    ...times('restart', 1),
    ...times('forget', 1),
  ),
  scope: fc.constantFrom(...SCOPES),
});

test('base and events are the register, and all that was said to be accepted is on disk or a beat beyond it', () => {
  const met = { deltas: 0, whole: 0, beats: 0 };
  fc.assert(
    fc.property(fc.array(move, { maxLength: 120, size: 'max' }), (moves) => {
      const seat = seated();
      const disk = new Map<string, StoredRegister>();
      let round = 1;
      let token = 10;
      let underway = false;
      for (const { what, scope } of moves) {
        const register = seat.voter.register(scope);
        const { version, promised } = register;
        const leads = sameBallot(promised, register.ballot) && version > 0;
        switch (what) {
          case 'events':
            if (leads) seat.change(scope, promised, version + 1, changeOf(register.state, ++token));
            break;
          case 'beat':
            if (leads && register.state.holders.length > 0) {
              const { lockId } = register.state.holders[0]!;
              const leaseId = `lease ${++token}` as LeaseId;
              seat.change(scope, promised, version + 1, [{ kind: 'extended', lockId, leaseMs: 9, leaseId }]);
              met.beats++;
            }
            break;
          case 'state':
            if (leads) seat.accept(scope, promised, version + 2, held(`lease ${++token}`));
            break;
          case 'rival':
            round = Math.max(round, promised.round) + 1;
            seat.accept(scope, ballot(round), version + 1, held(`lease ${++token}`));
            break;
          case 'take':
            if (underway || !seat.voter.hasWrites) break;
            underway = true;
            for (const [of, write] of seat.take().registers) {
              const base = disk.get(of);
              if (write.events === null) met.whole++;
              else {
                met.deltas++;
                expect([base?.version, base?.ballot]).toEqual([write.from, write.register.ballot]);
                expect(evolveAll(base!.state, write.events)).toEqual(write.register.state);
              }
              disk.set(of, write.register); // the order of batches is that of the disk
            }
            break;
          case 'land':
            if (underway) seat.land();
            underway = false;
            break;
          case 'restart':
            seat.restart();
            underway = false;
            disk.clear();
            for (const [of, stored] of seat.disk.registers) disk.set(of, stored);
            break;
          case 'forget':
            seat.voter.forgetFree();
        }
        for (const line of seat.said()) {
          const [, of, seq] = /^accepted (\S+) #(\d+)/.exec(line) ?? [];
          if (of === 's') expect(seat.disk.registers.get(of)!.version).toBeGreaterThanOrEqual(Number(seq));
        }
      }
    }),
    { numRuns: 500, seed: 1 },
  );
  expect(Math.min(met.deltas, met.whole, met.beats)).toBeGreaterThan(100);
});

function changeOf(state: LockState, token: number): readonly LockEvent[] {
  const former = state.holders[0];
  return former === undefined ? [granted(`l${token}`, token)] : [ended(former.lockId, 'released')];
}
