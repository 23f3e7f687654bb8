/**
 * Conversions through a gateway (L9): always by the token that the client names, and one that comes late changes
 * nothing; what is asked for besides, or was there already, is an extension.
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { FencingToken, Grant, Mode } from '../../../src/lock/state.ts';
import type { ClientRequest, ExtendRequest } from '../../../src/peer/request.ts';
import { Desk } from './desk.ts';
import { acquire, extend, Gate, grant, SCOPE } from './gate.ts';

const WRITES: Grant = grant('a');
const READS: Grant = { ...WRITES, mode: 'read' };
const token = (number: number) => number as FencingToken;

const convert = (mode: Mode, more: Partial<ExtendRequest> = {}): ClientRequest =>
  ({ ...extend('a'), mode, leaseMs: null, ...more }) as ClientRequest;

describe('the token', () => {
  const asked = (more: Partial<ExtendRequest>, holders: readonly Grant[] = [READS]) => {
    const gate = new Gate();
    const id = gate.ask(convert('write', more));
    gate.say('read', { kind: 'state' }, { holders });
    return { gate, id };
  };

  test.each([
    ['that the client names', { token: token(5) }, [READS], 5],
    ['that is seen, if it names none', {}, [READS], 7],
    ['that the client names, though nobody is seen', { token: token(5) }, [], 5],
    ['that nobody has, if nobody is seen: what became of the lock id is told', {}, [], 0],
  ])('%s', (_, more, holders, names) => {
    const { gate } = asked(more, holders);
    expect(gate.asked()).toEqual(['read -> 0', 'convert a -> 0']);
    expect(gate.command('convert a')).toMatchObject({ token: names, mode: 'write' });
  });

  test('outdated is told, with the grant as it is', () => {
    const { gate, id } = asked({ token: token(5), leaseMs: 9_000 });
    gate.asked();
    gate.say('convert a', { kind: 'outdated', grant: READS });
    expect([gate.asked(), gate.told(id)]).toEqual([[], 'outdated a 2/3']);
    expect(gate.heardBy(id)).toMatchObject({ outcome: { grant: { token: 7, mode: 'read' } } });
  });
});

describe('one that comes late', () => {
  /** Asked for at a gateway that is slow; meanwhile its client reads, and then writes, and reads again. */
  const late = (named: boolean, waitMs: number) => {
    const desk = new Desk(2);
    desk.ask(0, acquire('a', { mode: 'read' }));
    desk.wait(10);
    const last = () => desk.state(SCOPE).holders[0]!.token;
    const has = () => (named ? last() : null);
    desk.slowMs = (gateway, { kind }) => (gateway === 0 && kind !== 'convert' ? 100 : 0);
    const slow = desk.ask(0, convert('write', { token: has(), waitMs }));
    desk.ask(1, convert('write', { token: has() }));
    desk.wait(20);
    desk.ask(1, convert('read', { token: has() }));
    desk.wait(20);
    const before = desk.state(SCOPE);
    expect(before.holders).toMatchObject([{ mode: 'read', token: 3 }]);
    desk.wait(1_000);
    return { slow: slow(), before, after: desk.state(SCOPE) };
  };

  test.each([0, 5_000])('changes nothing, and is told so (wait %s ms)', (waitMs) => {
    const { slow, before, after } = late(true, waitMs);
    expect(slow).toMatchObject({ kind: 'decided', outcome: { kind: 'outdated', grant: { token: 3 } } });
    expect(after).toEqual(before);
  });

  test('would be carried out, if it named no token', () => {
    const { slow, after } = late(false, 0);
    expect(slow).toMatchObject({ outcome: { kind: 'converted' } });
    expect(after.holders).toMatchObject([{ mode: 'write', token: 4 }]);
  });
});

describe('what is held in that mode already', () => {
  const same = (leaseMs: number | null) => {
    const gate = new Gate();
    const id = gate.ask(convert('write', { leaseMs }));
    gate.say('read', { kind: 'state' }, { holders: [WRITES] });
    expect(gate.askedOf('a')).toEqual(['convert a -> 0']);
    gate.say('convert a', { kind: 'converted', grant: WRITES, repeat: true });
    return { gate, id };
  };

  test.each([[null], [9_000]])('is extended (lease %s)', (leaseMs) => {
    const { gate, id } = same(leaseMs);
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([['extend a -> 0'], undefined]);
    expect(gate.command('extend a')).toMatchObject({ leaseMs: leaseMs ?? 1 });
    gate.say('extend a', { kind: 'extended', grant: WRITES });
    expect(gate.told(id)).toBe('extended a 2/3');
    expect(gate.heardBy(id)).toMatchObject({ countFromMs: 0 });
  });

  test('what the extension finds in another mode is outdated', () => {
    const { gate, id } = same(9_000);
    gate.say('extend a', { kind: 'extended', grant: READS });
    expect(gate.told(id)).toBe('outdated a 2/3');
  });

  test('a real change without a lease needs no extension', () => {
    const gate = new Gate();
    const id = gate.ask(convert('read'));
    gate.say('read', { kind: 'state' }, { holders: [WRITES] });
    gate.asked();
    gate.say('convert a', { kind: 'converted', grant: READS, repeat: false });
    expect([gate.asked(), gate.told(id)]).toEqual([[], 'converted a 2/3']);
  });
});

test('a plain extension asks for no mode, and takes what it finds', () => {
  const gate = new Gate();
  const id = gate.ask(extend('a'));
  expect(gate.asked()).toEqual(['extend a -> 0']);
  gate.say('extend a', { kind: 'extended', grant: READS });
  expect(gate.told(id)).toBe('extended a 2/3');
});

test.each<readonly [string, Outcome]>([
  ['busy', { kind: 'busy', position: 1 }],
  ['deadlock', { kind: 'deadlock', grant: READS }],
  ['misfit', { kind: 'misfit', permits: 3 }],
])('an upgrade that is %s is told so, and nothing is extended', (kind, outcome) => {
  const gate = new Gate();
  const id = gate.ask(convert('write', { leaseMs: 9_000 }));
  gate.say('read', { kind: 'state' }, { holders: [READS] });
  gate.asked();
  gate.say('convert a', outcome);
  expect([gate.asked(), gate.told(id)]).toEqual([[], `${kind} a 2/3`]);
});
