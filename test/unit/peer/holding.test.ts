/**
 * What acts on a lock that is there already (holding.ts): which of several is meant, and what a sign of life asks for.
 * (Conversions, lock ids and sessions have files of their own.)
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { Grant, SessionId } from '../../../src/lock/state.ts';
import { GATEWAY_BEAT_MS } from '../../../src/peer/limits.ts';
import { beatOf } from '../../../src/peer/own-session.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';
import { acquire, extend, Gate, grant, granted, RELEASED, release, SCOPE, STATE, waiting } from './gate.ts';

const EXTENDED: Outcome = { kind: 'extended', grant: grant('s') };
const S = 's' as SessionId;
const permit = (lockId: string, holder: string, slot: number, named = true): Grant => {
  return { ...grant(lockId, holder, named), mode: 'permit', permits: 5, slot };
};
const by = (op: 'cancel' | 'heartbeat', holder: string | null, lockId: string | null = null) =>
  ({ op, scope: SCOPE, lockId, holder, at: 9 }) as ClientRequest;

describe('several permits under one name (L6, L10)', () => {
  const alices = [permit('a', 'alice', 0), permit('b', 'bob', 1), permit('c', 'alice', 2)];
  const unnamed = [permit('x', 'made-up-1', 0, false), permit('y', 'made-up-2', 1, false)];

  test.each<readonly [string, ClientRequest, readonly Grant[], string]>([
    ['a release by name', release(null, 'alice'), alices, 'not holder: alice,bob,alice'],
    ['an extension by name', extend(null, 'alice'), alices, 'not holder: alice,bob,alice'],
    ['a heartbeat by name', by('heartbeat', 'alice'), alices, 'not holder: alice,bob,alice'],
    ['a cancel by name', by('cancel', 'alice'), alices, 'not_found  2/3'],
    [
      'a release by scope, of some that have no name',
      release(null),
      unnamed,
      'not holder: made-up-1,made-up-2',
    ],
  ])('%s means none of them: a repeat of it would end the next', (_, request, holders, told) => {
    const gate = new Gate();
    const number = gate.ask(request);
    expect(gate.asked()).toEqual(['read -> 0']);
    gate.decide(0, STATE, { holders });
    expect([gate.asked(), gate.told(number)]).toEqual([[], told]);
  });

  test.each<readonly [string, ClientRequest, readonly Grant[], string]>([
    ['by its name, the only one of it', release(null, 'bob'), alices, 'b'],
    ['by its name, the last that is left', release(null, 'alice'), alices.slice(1), 'c'],
    ['by scope, the only one without a name', release(null), [alices[1]!, unnamed[0]!], 'x'],
  ])('a single one is released %s', (_, request, holders, lockId) => {
    const gate = new Gate();
    const number = gate.ask(request);
    gate.decide(0, STATE, { holders });
    expect(gate.asked()).toEqual(['read -> 0', `release ${lockId} -> 0`]);
    gate.decide(1, RELEASED);
    expect(gate.told(number)).toBe(`released ${lockId} 2/3`);
  });

  test('each is released by its lock id, without a question', () => {
    const gate = new Gate();
    const number = gate.ask(release('c', 'alice'));
    expect(gate.asked()).toEqual(['release c -> 0']);
    gate.decide(0, RELEASED);
    expect(gate.told(number)).toBe('released c 2/3');
  });

  test('a name that holds several and waits for one more gives up that place', () => {
    const gate = new Gate();
    gate.ask(by('cancel', 'alice'));
    const place = { ...permit('w', 'alice', 0), mode: 'permit' } as const;
    gate.decide(0, STATE, { holders: alices, waiters: [place] });
    expect(gate.asked()).toEqual(['read -> 0', 'cancel w -> 0']);
  });

  test('force releases all of them, one after the other', () => {
    const gate = new Gate();
    const force = { by: 'ops', reason: 'stuck' };
    const number = gate.ask({ ...release(null), force } as ClientRequest);
    gate.decide(0, STATE, { holders: alices });
    for (const held of alices) gate.say(`release ${held.lockId}`, RELEASED);
    expect(gate.asked().slice(1)).toEqual(['release a -> 0', 'release b -> 0', 'release c -> 0']);
    expect(gate.told(number)).toBe('released c 2/3');
  });
});

describe('the locks of a session are listed only for who asks', () => {
  const beat = (list: boolean): ClientRequest => {
    return { op: 'beat_session', session: S, holder: '', ttlMs: 0, list, at: 9 };
  };
  const plain = { kind: 'extend', lockId: 's', leaseMs: 1, replaces: null };

  test('a beat of its client that asks, and one that does not', () => {
    expect(beatOf(S)).toEqual(plain);
    expect(beatOf(S, false)).toEqual(plain);
    expect(beatOf(S, true)).toEqual({ ...plain, list: true });
    const gate = new Gate();
    gate.ask(beat(true));
    expect(gate.command('extend session s')).toEqual({ ...plain, list: true });
    gate.ask(beat(false));
    expect(gate.command('extend session s')).toEqual(plain);
  });

  test('the heartbeat of a lock', () => {
    const gate = new Gate();
    gate.ask(by('heartbeat', null, 'a'));
    gate.decide(0, { kind: 'granted', grant: { ...grant('a'), session: S }, repeat: true });
    expect(gate.asked()).toEqual(['claim a -> 0', 'extend session s -> 0']);
    expect(gate.command('extend session s')).toEqual(plain);
  });

  test('the session of a gateway, and one that is beaten for a client that waits', () => {
    const gate = new Gate();
    gate.ask(waiting('a', { session: { id: S, ttlMs: 6_000, implicit: true } }));
    gate.say('acquire session s', granted('s'), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    gate.opened();
    gate.say('acquire a', { kind: 'queued', position: 1 });
    gate.wait(GATEWAY_BEAT_MS);
    expect(gate.command('extend session s')).toEqual(plain);
    expect(gate.command('extend session g0')).toEqual({ ...plain, lockId: 'g0' });
  });

  test('a repeat that finds the session of its lock open', () => {
    const gate = new Gate();
    gate.ask(acquire('a', { session: { id: S, ttlMs: 6_000, implicit: true }, repeat: 1 }));
    gate.say('acquire session s', granted('s', true), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    expect(gate.command('extend session s')).toEqual(plain);
    gate.say('extend session s', EXTENDED);
    expect(gate.asked()).toContain('acquire a -> 0');
  });
});
