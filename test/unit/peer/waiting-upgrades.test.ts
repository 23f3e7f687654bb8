/** A reader that waits at its gateway to be the only one (L9): granted, told by a notice or a look; or given up. */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { FencingToken, Grant } from '../../../src/lock/state.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';
import { CANCELLED, extend, Gate, grant } from './gate.ts';

const READS: Grant = { ...grant('a'), mode: 'read' };
const WRITES: Grant = { ...grant('a'), token: 8 as FencingToken, former: READS.token };

const upgrading = (leaseMs: number | null = null) => {
  const gate = new Gate();
  const id = gate.ask({ ...extend('a'), mode: 'write', leaseMs, waitMs: 5_000 } as ClientRequest);
  gate.say('read', { kind: 'state' }, { holders: [READS] });
  gate.opened();
  expect(gate.askedOf('a')).toEqual(['convert a -> 0']);
  expect(gate.command('convert a')).toMatchObject({ token: 7, mode: 'write', wait: true, gateway: 'g0' });
  gate.say('convert a', { kind: 'upgrading', grant: READS });
  return { gate, id };
};

test('after a notice it asks again, and is told the whole', () => {
  const { gate, id } = upgrading();
  gate.wait(500);
  gate.notice(WRITES);
  expect([gate.askedOf('a'), gate.told(id)]).toEqual([['convert a -> 0'], undefined]);
  gate.say('convert a', { kind: 'converted', grant: WRITES, repeat: true });
  expect(gate.told(id)).toBe('converted again a 2/3');
  expect(gate.heardBy(id)).toMatchObject({ outcome: { grant: { token: 8, mode: 'write' } } });
});

test('what is not that conversion is not taken for it', () => {
  const { gate, id } = upgrading();
  gate.notice(READS);
  gate.notice({ ...WRITES, former: 6 as FencingToken });
  expect(gate.told(id)).toBeUndefined();
});

test('the notice is lost: the look misses it, and to ask again tells', () => {
  const { gate, id } = upgrading();
  gate.wait(1_000);
  gate.say('look', { kind: 'state' });
  expect(gate.askedOf('a')).toEqual(['convert a -> 0']);
  expect(gate.command('convert a')).toMatchObject({ token: 7 });
  gate.say('convert a', { kind: 'converted', grant: WRITES, repeat: true });
  expect(gate.told(id)).toBe('converted again a 2/3');
});

test('a lease that was asked for as well is set once it writes', () => {
  const { gate, id } = upgrading(9_000);
  gate.wait(700);
  gate.notice(WRITES);
  gate.say('convert a', { kind: 'converted', grant: WRITES, repeat: true });
  expect([gate.askedOf('a').at(-1), gate.told(id)]).toEqual(['extend a -> 0', undefined]);
  gate.say('extend a', { kind: 'extended', grant: WRITES });
  expect(gate.told(id)).toBe('extended a 2/3');
  expect(gate.heardBy(id)).toMatchObject({ countFromMs: 700 }); // from the send of the extension
});

describe('its time is over', () => {
  test.each<readonly [string, Outcome, string]>([
    ['given up', CANCELLED, 'busy a 2/3'],
    [
      'it still reads, as a cancel that found no upgrade says',
      { kind: 'granted', grant: READS, repeat: true },
      'busy a 2/3',
    ],
    ['it writes by now', { kind: 'granted', grant: WRITES, repeat: true }, 'converted a 2/3'],
    [
      'its read lock ended',
      { kind: 'ended', ending: 'expired', token: 7 as FencingToken, note: null },
      'ended a 2/3',
    ],
  ])('%s', (_, outcome, answer) => {
    const { gate, id } = upgrading();
    gate.wait(4_999);
    expect(gate.askedOf('a')).toEqual([]);
    gate.wait(1);
    expect(gate.askedOf('a')).toEqual(['cancel a -> 0']);
    expect(gate.command('cancel a')).toMatchObject({ token: 7, gateway: 'g0' });
    gate.say('cancel a', outcome);
    expect(gate.told(id)).toBe(answer);
  });
});
