/**
 * Waiters that live with a session of their client's: no claim, a count from the last answer that it still waits, and
 * a sign of life while it waits if nobody else gives one (T1, T4).
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import { type Grant, NO_EXPIRY, type SessionId } from '../../../src/lock/state.ts';
import { acquire, BUSY, CANCELLED, Gate, grant, granted, unclaimed, waiting } from './gate.ts';

const LOOKED: Outcome = { kind: 'state' };
const EXTENDED: Outcome = { kind: 'extended', grant: grant('s') };
const place = (lockId: string) => [lockId as never, 1] as const;
const S = 's' as SessionId;

const with6s = (implicit: boolean) => ({ session: { id: S, ttlMs: 6_000, implicit } });
/** What a promotion makes of a waiter with a session: it is held at once. */
const held = (leaseMs = 10_000): Grant => ({ ...grant('a'), session: S, leaseMs });

/** Waits under a session that the client has opened before. */
function explicit(leaseMs = 10_000): { gate: Gate; id: number } {
  const gate = new Gate();
  const id = gate.ask(waiting('a', { ...with6s(false), leaseMs }));
  expect(gate.asked()).toEqual(['read session s -> 0']);
  gate.say('read session s', LOOKED, { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
  gate.opened();
  gate.wait(200);
  gate.say('acquire a', { kind: 'queued', position: 1 });
  gate.asked();
  return { gate, id };
}

describe('the session comes first', () => {
  test('a session that the client opened must be alive, and its ttl goes along', () => {
    const { gate } = explicit();
    expect(gate.command('acquire a')).toMatchObject({ session: 's', ttlMs: 6_000 });
  });

  test('dead or unknown: that is told, and nothing is acquired', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a', with6s(false)));
    gate.say('read session s', LOOKED, { holders: [] });
    expect([gate.told(id), gate.askedOf('a')]).toEqual(['no session s', []]);
  });

  test('an implicit one is opened first', () => {
    const gate = new Gate();
    gate.ask(acquire('a', with6s(true)));
    expect(gate.asked()).toEqual(['acquire session s -> 0']);
    expect(gate.command('acquire session s')).toMatchObject({ leaseMs: 6_000, wait: false });
    gate.say('acquire session s', granted('s'), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    expect(gate.asked()).toEqual(['acquire a -> 0']);
  });

  test('an implicit one that was open before gets a sign of life: a repeat sets no count (T1)', () => {
    const gate = new Gate();
    gate.ask(acquire('a', with6s(true)));
    gate.say('acquire session s', granted('s', true), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    gate.asked();
    gate.say('extend session s', EXTENDED);
    expect(gate.asked()).toEqual(['acquire a -> 0']);
  });

  test('an implicit one that died is told as what became of the lock, and nothing is acquired', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a', with6s(true)));
    gate.say('acquire session s', { kind: 'ended', ending: 'expired', token: 1 as never, note: null });
    expect([gate.told(id), gate.askedOf('a')]).toEqual(['ended a 2/3', []]);
  });
});

test.each([
  ['the first time', false],
  ['again', true],
])('an implicit one that lives for another time than asked is another one: opened %s', (_, before) => {
  const gate = new Gate();
  const id = gate.ask(acquire('a', with6s(true)));
  gate.say('acquire session s', granted('s', before), { holders: [{ ...grant('s'), leaseMs: 9_000 }] });
  expect([gate.told(id), gate.asked()]).toEqual(['mismatch a 2/3', ['acquire session s -> 0']]);
});

describe('granted without a claim', () => {
  test('by a notice: it counts from the last question that was told "still waiting"', () => {
    const { gate, id } = explicit();
    gate.wait(1_000);
    gate.say('look', LOOKED, { places: [place('a')] });
    gate.wait(500);
    gate.notice(held());
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], 'granted a 3/3']);
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 1_200 });
  });

  test('a look without an answer is no such question, and a late answer to an earlier one moves nothing back', () => {
    const { gate, id } = explicit();
    gate.wait(1_000);
    const early = gate.last('look'); // of 1,200
    gate.wait(100);
    gate.die(2);
    gate.wait(0);
    gate.say('look', LOOKED, { places: [place('a')] }); // of 1,300
    gate.decide(early, LOOKED, { places: [place('a')] });
    gate.wait(1_500); // later ones are not answered
    gate.notice(held());
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 1_300 });
  });

  test('before the first look: it counts from the acquire that was told to wait', () => {
    const { gate, id } = explicit();
    gate.wait(300);
    gate.notice(held());
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 0 });
  });

  test('a look that misses it asks again; granted already: likewise', () => {
    const { gate, id } = explicit();
    gate.wait(1_900);
    gate.say('look', LOOKED);
    expect(gate.askedOf('a')).toEqual(['acquire a -> 0']);
    gate.say('acquire a', { kind: 'granted', grant: held(), repeat: true });
    expect(gate.heardBy(id)).toMatchObject({ kind: 'decided', countFromMs: 0 });
  });

  test('more than half of the lease has passed since: it extends first, and counts from that', () => {
    const { gate, id } = explicit(3_000);
    gate.wait(1_900); // since the acquire, which left at 0, 2,100 have passed
    gate.notice(held(3_000));
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['extend a -> 0'], undefined]);
    expect(gate.command('extend a')).toMatchObject({ leaseMs: 3_000, replaces: null });
    gate.wait(100);
    gate.say('extend a', { kind: 'extended', grant: held(3_000) });
    expect(gate.told(id)).toMatch(/^granted/);
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 2_100 });
  });

  test('just half of it: it does not', () => {
    const { gate, id } = explicit(2_000);
    gate.wait(800);
    gate.notice(held(2_000));
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], 'granted a 3/3']);
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 0 });
  });

  test('the extension finds nothing any more: it asks for its place again', () => {
    const { gate, id } = explicit(1_000);
    gate.wait(900);
    gate.notice(held(1_000));
    gate.asked();
    gate.say('extend a', { kind: 'not_found' });
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['acquire a -> 0'], undefined]);
    expect(gate.command('acquire a')).toMatchObject({ again: true });
  });

  test('the extension finds it ended: that is told', () => {
    const { gate, id } = explicit(1_000);
    gate.wait(900);
    gate.notice(held(1_000));
    gate.say('extend a', { kind: 'ended', ending: 'expired', token: 7 as never, note: null });
    expect(gate.told(id)).toBe('ended a 2/3');
  });

  test('a lease without an end must be claimed like any other', () => {
    const { gate, id } = explicit(NO_EXPIRY);
    gate.wait(300);
    gate.notice(unclaimed('a', 'g0', { session: S }));
    expect(gate.askedOf('a')).toEqual(['claim a -> 0']);
    gate.say('claim a', { kind: 'granted', grant: held(NO_EXPIRY), repeat: false });
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 500 });
  });

  test('between two polls it is granted, and is not parked: its client finds it, without a count', () => {
    const gate = new Gate();
    const id = gate.ask(waiting('a', { ...with6s(false), pollMs: 500 }));
    gate.say('read session s', LOOKED, { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    gate.opened();
    gate.say('acquire a', { kind: 'queued', position: 1 });
    gate.wait(600);
    gate.say('read ->', LOOKED);
    gate.asked();
    gate.notice(held());
    expect([gate.told(id), gate.askedOf('a')]).toEqual(['waiting at 1, 2/3', []]);
    const again = gate.ask(waiting('a', with6s(false)));
    gate.say('read session s', LOOKED, { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    gate.say('acquire a', { kind: 'granted', grant: held(), repeat: true });
    expect(gate.told(again)).toBe('granted again a 2/3');
    expect(gate.heardBy(again)).toMatchObject({ countFromMs: 0, outcome: { repeat: true } });
  });
});

describe('an implicit session while it waits', () => {
  const implicit = () => {
    const gate = new Gate();
    const id = gate.ask(waiting('a', { ...with6s(true), leaseMs: NO_EXPIRY }));
    gate.say('acquire session s', granted('s'), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    gate.opened();
    gate.say('acquire a', { kind: 'queued', position: 1 });
    gate.asked();
    return { gate, id };
  };
  const beats = (gate: Gate) => gate.asked().filter((line) => line === 'extend session s -> 0').length;

  test('is beaten every third of its ttl, for its client is there', () => {
    const { gate } = implicit();
    gate.wait(1_999);
    expect(beats(gate)).toBe(0);
    gate.wait(1);
    expect(beats(gate)).toBe(1);
    gate.say('extend session s', EXTENDED);
    gate.wait(2_000);
    expect(beats(gate)).toBe(1);
  });

  test('the count begins no later than the last sign of life that was taken', () => {
    const { gate, id } = implicit();
    gate.wait(2_000);
    gate.say('extend session s', EXTENDED);
    gate.wait(2_000); // that one is not answered
    gate.wait(100);
    gate.notice(unclaimed('a', 'g0', { session: S }));
    gate.say('claim a', { kind: 'granted', grant: held(NO_EXPIRY), repeat: false });
    expect(gate.heardBy(id)).toMatchObject({ kind: 'decided', countFromMs: 2_000 });
  });

  test('is not beaten for a client that is gone, nor between two polls', () => {
    const { gate, id } = implicit();
    gate.gateway.abandon(gate.now, id);
    gate.wait(60_000);
    expect(beats(gate)).toBe(0);

    const other = new Gate();
    other.ask(waiting('a', { ...with6s(true), pollMs: 1_000 }));
    other.say('acquire session s', granted('s'), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    other.opened();
    other.say('acquire a', { kind: 'queued', position: 1 });
    other.wait(20_000);
    expect(beats(other)).toBe(0);
  });

  test('one that the client opened is the client’s to beat', () => {
    const { gate } = explicit();
    gate.wait(20_000);
    expect(beats(gate)).toBe(0);
  });
});

describe('an implicit session that was opened in vain', () => {
  const refused = (more: object, before = false) => {
    const gate = new Gate();
    const id = gate.ask(acquire('a', { ...with6s(true), ...more }));
    gate.say('acquire session s', granted('s', before), { holders: [{ ...grant('s'), leaseMs: 6_000 }] });
    if (before) gate.say('extend session s', EXTENDED);
    gate.asked();
    gate.say('acquire a', BUSY);
    return { gate, id };
  };

  test('is closed once the lock id is retired', () => {
    const { gate, id } = refused({ repeat: 1 });
    expect(gate.asked()).toEqual(['cancel a -> 0']);
    gate.say('cancel a', CANCELLED);
    expect([gate.asked(), gate.told(id)]).toEqual([['release session s -> 0'], 'busy a 2/3']);
  });

  test('is left alone if the cancel finds it granted, or if another request had opened it', () => {
    const { gate, id } = refused({ repeat: 1 });
    gate.asked();
    gate.say('cancel a', { kind: 'granted', grant: held(), repeat: true });
    expect([gate.asked(), gate.told(id)]).toEqual([[], 'granted again a 2/3']);
    expect(refused({}, true).gate.asked()).toEqual([]);
  });

  /**
   * Its client may have sent the same lock id through another gateway by now, where it found this very session, and
   * was granted after this "busy" was decided: to close the session would end a lock whose holder counts on it.
   */
  test('is not closed while the lock id may yet be granted to a repeat', () => {
    const { gate } = refused({});
    expect(gate.asked()).not.toContain('release session s -> 0');
  });

  test('is closed at once if nobody else can know the lock id', () => {
    const { gate, id } = refused({ made: true });
    expect([gate.asked(), gate.told(id)]).toEqual([['release session s -> 0'], 'busy a 2/3']);
  });
});
