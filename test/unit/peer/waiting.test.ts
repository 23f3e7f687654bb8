/**
 * Waiting at a gateway: how a promotion is learned of, claimed and told (T4), and that no place is lost (T6).
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { SessionId } from '../../../src/lock/state.ts';
import { CLAIM_MAX_MS, CLAIM_MIN_MS } from '../../../src/peer/limits.ts';
import { acquire, BUSY, Gate, grant, granted, STATUS, unclaimed, waiting } from './gate.ts';

const QUEUED: Outcome = { kind: 'queued', position: 2 };
const LOOKED: Outcome = { kind: 'state' };
const place = (lockId: string, position = 2) => [lockId as never, position] as const;

describe('into the queue', () => {
  test('nobody waits before the session of the gateway is open, and the acquire names it', () => {
    const gate = new Gate();
    const id = gate.ask(waiting('a'));
    expect(gate.asked()).toEqual(['acquire session g0 -> 0']);
    gate.opened();
    expect(gate.asked()).toEqual(['acquire a -> 0']);
    expect(gate.command('acquire a')).toMatchObject({ wait: true, gateway: 'g0', claimMs: CLAIM_MIN_MS });
    expect(gate.command('acquire a')).toMatchObject({ again: false });
    gate.say('acquire a', QUEUED);
    expect(gate.told(id)).toBeUndefined();
    gate.ask(waiting('b'));
    expect(gate.asked()).toEqual(['acquire b -> 0']); // it is open
  });

  test('an acquire that shall not wait needs no session', () => {
    const gate = new Gate();
    gate.ask(acquire('a'));
    expect(gate.asked()).toEqual(['acquire a -> 0']);
    expect(gate.command('acquire a')).toMatchObject({ wait: false });
  });

  test('the session cannot be opened: no quorum, and nothing was asked', () => {
    const gate = new Gate();
    const id = gate.ask(waiting('a'));
    for (const index of [0, 1, 2]) gate.noQuorum(index);
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], 'no_quorum without anybody']);
  });

  test('granted at once: it counts from the send of the client', () => {
    const gate = new Gate();
    const id = gate.ask(waiting('a'));
    gate.opened();
    gate.wait(300);
    gate.say('acquire a', granted('a'));
    expect(gate.told(id)).toBe('granted a 2/3');
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 0 });
  });
});

describe('granted', () => {
  test('a notice, the claim, the answer: it counts from the send of the claim', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(700);
    gate.asked();
    gate.notice(unclaimed('a'));
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['claim a -> 0'], undefined]);
    expect(gate.command('claim a')).toMatchObject({ gateway: 'g0' });
    gate.wait(50);
    gate.say('claim a', granted('a'));
    expect(gate.told(id)).toBe('granted a 2/3');
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 700 });
    gate.notice(unclaimed('a')); // once more
    expect(gate.askedOf('a')).toEqual([]);
  });

  test('the claim that was answered by a later copy still counts from the first', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(100);
    gate.notice(unclaimed('a'));
    gate.wait(450);
    expect(gate.askedOf('a')).toEqual(['claim a -> 0', 'claim a -> 1']);
    gate.say('claim a', granted('a'));
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 100 });
  });

  test('the notice is lost: the look of the next second finds it', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(1_000);
    expect(gate.asked()).toContain('look -> 0');
    gate.say('look', LOOKED, { places: [place('a')] });
    expect(gate.askedOf('a')).toEqual([]);
    gate.wait(1_000);
    gate.say('look', LOOKED, { holders: [unclaimed('a')] });
    expect(gate.askedOf('a')).toEqual(['claim a -> 0']);
    gate.say('claim a', granted('a'));
    expect(gate.heardBy(id)).toMatchObject({ kind: 'decided', countFromMs: 2_000 });
  });

  test('a look that finds neither place nor grant asks again, under the same lock id', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(1_000);
    gate.say('look', LOOKED);
    expect(gate.askedOf('a')).toEqual(['acquire a -> 0']);
    expect(gate.command('acquire a')).toMatchObject({ again: true }); // whoever waits elsewhere stays there
    gate.say('acquire a', QUEUED);
    expect(gate.told(id)).toBeUndefined();
  });

  test('its client asked elsewhere meanwhile, and waits there: that is told, and no place is kept here', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(1_000);
    gate.say('look', LOOKED);
    gate.say('acquire a', { kind: 'elsewhere', position: 3 });
    expect([gate.told(id), gate.gateway.size]).toEqual(['waiting at 3, 2/3', 0]);
    gate.asked();
    gate.wait(60_000);
    expect(gate.askedOf('a')).toEqual([]);
  });

  test('a look that left before it waited does not miss it', () => {
    const gate = new Gate();
    gate.waits(waiting('b'));
    const id = gate.ask(waiting('a'));
    gate.wait(1_000); // the look leaves, the acquire is still under way
    gate.say('acquire a', QUEUED);
    gate.asked();
    gate.say('look', LOOKED, { places: [place('b')] });
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], undefined]);
  });

  test('a peer that dies may have known of a promotion: looks now', () => {
    const gate = new Gate();
    gate.waits(waiting('a'));
    gate.wait(10);
    gate.die(2);
    gate.wait(0);
    expect(gate.asked()).toEqual(['look -> 0']);
  });

  test('claimed already, by an earlier request: it is a repeat, and starts no count', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(500);
    gate.notice(unclaimed('a'));
    gate.say('claim a', granted('a', true));
    expect(gate.told(id)).toBe('granted again a 2/3');
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 0 });
  });

  test('the claim comes too late: it asks for its place again', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.notice(unclaimed('a'));
    gate.asked();
    gate.say('claim a', QUEUED);
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['acquire a -> 0'], undefined]);
    expect(gate.command('acquire a')).toMatchObject({ again: true });
  });

  test('its client asked elsewhere before the claim came: that it waits is told, not that it holds', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.notice(unclaimed('a'));
    gate.asked();
    gate.say('claim a', { kind: 'granted', grant: unclaimed('a', 'another'), repeat: true });
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], 'waiting at 1, 2/3']);
  });

  test('the time for the votes of a claim begins with the claim', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'), 1, 900);
    gate.wait(5_000);
    gate.notice(unclaimed('a'));
    gate.wait(899);
    expect(gate.told(id)).toBeUndefined();
    gate.say('claim a', granted('a'));
    expect(gate.told(id)).toBe('granted a 2/3');
  });

  test('no answer to the claim: unknown, never "no quorum"', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'), 1, 900);
    gate.notice(unclaimed('a'));
    gate.refuse('claim a');
    expect(gate.told(id)).toBe('unknown without anybody');
  });

  test('its client asked elsewhere meanwhile: the promotion is not claimed here', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.notice(unclaimed('a', 'another'));
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], 'waiting at 1, 3/3']);
  });

  test('a notice of what nobody here waits for changes nothing', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.notice(unclaimed('z'));
    expect([gate.asked(), gate.told(id)]).toEqual([[], undefined]);
  });
});

describe('looks', () => {
  test('what they find here that nobody here asked for is parked', () => {
    const gate = new Gate();
    gate.waits(waiting('a'));
    gate.wait(1_000);
    gate.asked();
    gate.say('look', LOOKED, { places: [place('a'), place('x')], holders: [unclaimed('y')] });
    expect(gate.asked()).toEqual(['park x -> 0', 'park y -> 0']);
    expect(gate.command('park x')).toMatchObject({ gateway: 'g0' });
  });

  test('what is being asked for is not astray', () => {
    const gate = new Gate();
    gate.waits(waiting('a'));
    gate.ask(waiting('b'));
    gate.wait(1_000);
    gate.asked();
    gate.say('look', LOOKED, { places: [place('a'), place('b')] });
    expect(gate.asked()).toEqual([]);
  });

  test('they end some time after the last client has left', () => {
    const gate = new Gate();
    gate.waits(waiting('a'));
    gate.notice(unclaimed('a'));
    gate.say('claim a', granted('a'));
    gate.wait(34_000);
    expect(gate.asked()).toContain('look -> 0');
    gate.wait(3_000);
    gate.asked();
    gate.wait(60_000);
    expect(gate.asked().filter((line) => line.startsWith('look'))).toEqual([]);
  });
});

describe('the same lock id twice at one gateway', () => {
  test('the former request is told that it waits, the later one gets the grant', () => {
    const gate = new Gate();
    const first = gate.waits(waiting('a'), 4);
    const second = gate.waits(waiting('a', { repeat: 1 }), 4);
    expect([gate.told(first), gate.told(second)]).toEqual(['waiting at 4, 2/3', undefined]);
    gate.notice(unclaimed('a', 'g0'));
    gate.say('claim a', granted('a'));
    expect(gate.told(second)).toBe('granted a 2/3');
  });
});

test('the time for a claim grows with the slowest vote, up to a bound', () => {
  const gate = new Gate();
  const claimMs = () => {
    gate.ask(acquire('m'));
    return (gate.command('acquire m') as { claimMs?: number }).claimMs;
  };
  gate.ask(STATUS);
  gate.wait(350);
  gate.say('read', { kind: 'state' });
  expect(claimMs()).toBe(3_500);
  gate.ask(STATUS, 60_000);
  gate.wait(9_000);
  gate.say('read', { kind: 'state' });
  expect(claimMs()).toBe(CLAIM_MAX_MS);
});

test.each([
  ['already held', { kind: 'already_held', grant: grant('b') } as Outcome],
  ['deadlock', { kind: 'deadlock', grant: grant('b') } as Outcome],
  ['a misfit', { kind: 'misfit', permits: 3 } as Outcome],
  ['full', { kind: 'full' } as Outcome],
  ['mismatch', { kind: 'mismatch' } as Outcome],
])('refused a place: %s is told', (_, outcome) => {
  const gate = new Gate();
  const id = gate.ask(waiting('a'));
  gate.opened();
  gate.say('acquire a', outcome);
  expect(gate.told(id)).toBe(`${outcome.kind} a 2/3`);
});

test('a place that somebody else has under this lock id is no place for who shall not wait', () => {
  const gate = new Gate();
  const id = gate.ask(acquire('a', { session: { id: 's' as SessionId, ttlMs: 0, implicit: false } }));
  gate.say('read session s', LOOKED, { holders: [grant('s')] });
  gate.say('acquire a', QUEUED);
  expect(gate.asked().at(-1)).toBe('cancel a -> 0');
  gate.say('cancel a', { kind: 'cancelled' });
  expect(gate.told(id)).toBe(`${BUSY.kind} a 2/3`);
});
