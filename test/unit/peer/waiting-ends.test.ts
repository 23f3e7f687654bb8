/**
 * How waiting ends without a grant (places.ts): its time is over, its poll is over, its client is gone. What might
 * yet be granted is taken back, kept or told, and never lost.
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { FencingToken } from '../../../src/lock/state.ts';
import { PLACE_KEPT_MS, WAITING_MAX } from '../../../src/peer/limits.ts';
import { CANCELLED, extend, Gate, grant, granted, RELEASED, unclaimed, waiting } from './gate.ts';

const LOOKED: Outcome = { kind: 'state' };
const QUEUED: Outcome = { kind: 'queued', position: 2 };
const place = (lockId: string, position = 2) => [lockId as never, position] as const;

describe('its time is over', () => {
  const late = () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a', { waitMs: 5_000 }), 3);
    gate.wait(4_999);
    expect(gate.askedOf('a')).toEqual([]);
    gate.wait(1);
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['cancel a -> 0'], undefined]);
    return { gate, id };
  };

  test('busy is told once the cancel is chosen, which names this gateway', () => {
    const { gate, id } = late();
    expect(gate.command('cancel a')).toMatchObject({ gateway: 'g0', token: 0 });
    gate.say('cancel a', CANCELLED, { holders: [grant('b', 'bob')] });
    expect(gate.told(id)).toBe('busy a 2/3');
    expect(gate.heardBy(id)).toMatchObject({
      outcome: { position: 3 },
      view: { holders: [{ holder: 'bob' }] },
    });
  });

  test('granted just before: it is claimed after all', () => {
    const { gate, id } = late();
    gate.say('cancel a', { kind: 'granted', grant: unclaimed('a'), repeat: true });
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['claim a -> 0'], undefined]);
    gate.say('claim a', granted('a'));
    expect(gate.told(id)).toBe('granted a 2/3');
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 5_000 });
  });

  test('it waits through another gateway by now: that is told', () => {
    const { gate, id } = late();
    gate.say('cancel a', { kind: 'queued', position: 5 });
    expect(gate.told(id)).toBe('waiting at 5, 2/3');
  });

  test('ended meanwhile: that is told', () => {
    const { gate, id } = late();
    gate.say('cancel a', { kind: 'ended', ending: 'crashed', token: 0 as FencingToken, note: null });
    expect(gate.told(id)).toBe('ended a 2/3');
  });

  test('no answer to the cancel: unknown, for it may be granted', () => {
    const { gate, id } = late();
    gate.refuse('cancel a');
    expect(gate.told(id)).toBe('unknown without anybody');
  });

  test('a notice that comes while the cancel is under way is left to the cancel', () => {
    const { gate, id } = late();
    gate.notice(unclaimed('a'));
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], undefined]);
  });
});

describe('its poll is over', () => {
  const polled = () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a', { pollMs: 3_000 }), 3);
    gate.wait(1_000);
    gate.say('look', LOOKED, { places: [place('a', 2)] });
    gate.wait(2_000);
    expect([gate.asked(), gate.told(id)]).toEqual([expect.arrayContaining(['read -> 0']), undefined]);
    gate.say('read', LOOKED, { holders: [grant('b', 'bob')] });
    return { gate, id };
  };

  test('"waiting" is told with the newest position and who holds now, and the place is kept', () => {
    const { gate, id } = polled();
    expect([gate.told(id), gate.askedOf('a')]).toEqual(['waiting at 2, 2/3', []]);
    expect(gate.heardBy(id)).toMatchObject({ view: { holders: [{ holder: 'bob' }] } });
    gate.wait(1_000);
    gate.asked();
    gate.say('look', LOOKED, { places: [place('a')] });
    expect(gate.asked()).toEqual([]); // not astray
  });

  test('nobody can say who holds now: it is told within a second all the same', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a', { pollMs: 500 }), 3);
    gate.wait(500);
    expect(gate.told(id)).toBeUndefined();
    gate.wait(1_000);
    expect(gate.told(id)).toBe('waiting at 3, 2/3');
  });

  test('a promotion just then is parked, and its client told to come again', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a', { pollMs: 500 }), 3);
    gate.wait(500);
    gate.notice(unclaimed('a'));
    expect(gate.askedOf('a')).toEqual(['park a -> 0']);
    gate.say('read', LOOKED);
    expect(gate.told(id)).toBe('waiting at 3, 2/3');
  });

  test('the same lock id again gets the place, and then the grant', () => {
    const { gate } = polled();
    const again = gate.ask(waiting('a', { pollMs: 3_000 }));
    gate.say('acquire a', QUEUED);
    gate.asked();
    gate.notice(unclaimed('a'));
    expect(gate.askedOf('a')).toEqual(['claim a -> 0']);
    gate.say('claim a', granted('a'));
    expect(gate.told(again)).toBe('granted a 2/3');
    expect(gate.heardBy(again)).toMatchObject({ countFromMs: 0 }); // its own arrival, not the first one's
    gate.wait(PLACE_KEPT_MS + 1_000);
    expect(gate.askedOf('a')).toEqual([]);
  });

  test('a promotion that comes between two polls is parked, for nobody is there to claim it', () => {
    const { gate, id } = polled();
    gate.asked();
    gate.notice(unclaimed('a'));
    expect(gate.askedOf('a')).toEqual(['park a -> 0']);
    expect(gate.command('park a')).toMatchObject({ gateway: 'g0' });
    gate.say('park a', { kind: 'parked' });
    gate.wait(PLACE_KEPT_MS);
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], 'waiting at 2, 2/3']);
  });

  test('so is one that a look finds', () => {
    const { gate } = polled();
    gate.asked();
    gate.say('look', LOOKED, { holders: [unclaimed('a')] });
    expect(gate.askedOf('a')).toEqual(['park a -> 0']);
  });

  test('granted and claimed by a notice while the next poll is under way: the next poll has it', () => {
    const { gate } = polled();
    const again = gate.ask(waiting('a'));
    gate.say('acquire a', { kind: 'granted', grant: unclaimed('a'), repeat: true });
    expect(gate.askedOf('a').at(-1)).toBe('claim a -> 0');
    gate.say('claim a', granted('a'));
    expect(gate.told(again)).toBe('granted a 2/3');
  });

  test('nobody comes back: the place is parked, which ends no wait that begins anew', () => {
    const { gate } = polled();
    gate.wait(PLACE_KEPT_MS - 1);
    for (const line of gate.askedOf('a')) expect(line).not.toMatch(/^(cancel|park)/);
    gate.wait(1);
    expect(gate.askedOf('a')).toEqual(['park a -> 0']);
    expect(gate.command('park a')).toMatchObject({ gateway: 'g0' });
  });
});

describe('its client is gone', () => {
  test('a made-up lock id: cancelled, and released if that finds it granted', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a', { made: true }));
    gate.gateway.abandon(gate.now, id);
    expect(gate.askedOf('a')).toEqual(['cancel a -> 0']);
    gate.say('cancel a', granted('a', true));
    expect(gate.askedOf('a')).toEqual(['release a -> 0']);
    gate.say('release a', RELEASED);
    gate.wait(60_000);
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], undefined]);
  });

  test('a given lock id: parked, for it may ask elsewhere', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.gateway.abandon(gate.now, id);
    expect(gate.askedOf('a')).toEqual(['park a -> 0']);
    gate.notice(unclaimed('a')); // came too late: the park finds it unclaimed
    expect(gate.askedOf('a')).toEqual([]);
    gate.say('park a', { kind: 'parked' });
    gate.wait(60_000);
    expect([gate.askedOf('a'), gate.told(id), gate.gateway.size]).toEqual([[], undefined, 0]);
  });

  test('while the claim is under way: what it brings is not kept from anybody', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.notice(unclaimed('a'));
    gate.asked();
    gate.gateway.abandon(gate.now, id);
    gate.say('claim a', granted('a'));
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['park a -> 0'], undefined]);
  });

  test('while the acquire is under way: no further copy leaves, and its place is parked', () => {
    const gate = new Gate();
    gate.waits(waiting('b'));
    const id = gate.ask(waiting('a'));
    gate.asked();
    gate.gateway.abandon(gate.now, id);
    gate.wait(900);
    expect(gate.askedOf('a')).toEqual([]);
    gate.say('acquire a', QUEUED);
    expect(gate.askedOf('a')).toEqual(['park a -> 0']);
  });

  test('while the session is opened: nothing is asked for it, but what it asked before is given up', () => {
    const gate = new Gate();
    const id = gate.ask(waiting('a'));
    gate.gateway.abandon(gate.now, id);
    gate.opened();
    gate.wait(60_000);
    expect(gate.askedOf('a').filter((line) => !line.startsWith('park'))).toEqual([]);
    expect(gate.told(id)).toBeUndefined();
  });

  test('one that waits to write gives up that wait only, by the token that it named', () => {
    const gate = new Gate();
    const id = gate.ask({ ...extend('a'), mode: 'write', leaseMs: null, waitMs: 5_000 } as never);
    gate.say('read', LOOKED, { holders: [{ ...grant('a'), mode: 'read' }] });
    gate.opened();
    gate.say('convert a', { kind: 'upgrading', grant: { ...grant('a'), mode: 'read' } });
    gate.asked();
    gate.gateway.abandon(gate.now, id);
    expect(gate.askedOf('a')).toEqual(['cancel a -> 0']);
    expect(gate.command('cancel a')).toMatchObject({ gateway: 'g0', token: 7 });
  });
});

test('too many wait here: overloaded, and nothing was asked', () => {
  const gate = new Gate();
  gate.waits(waiting('a0'));
  for (let i = 1; i < WAITING_MAX; i++) {
    gate.ask(waiting(`a${i}`));
    gate.sayLast(QUEUED);
  }
  gate.asked();
  const id = gate.ask(waiting('z'));
  expect([gate.asked(), gate.told(id)]).toEqual([
    [],
    `overloaded: ${WAITING_MAX} requests wait at this peer`,
  ]);
});
