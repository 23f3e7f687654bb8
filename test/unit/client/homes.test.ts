/** Who is asked first about a scope, and which addresses are worth a dial. */
import { describe, expect, test } from 'vitest';
import { Homes, isReachable } from '../../../src/client/homes.ts';
import { hashText, lineOf } from '../../../src/peer/placement.ts';
import type { PeerEntry } from '../../../src/protocol/messages.ts';

const entry = (name: string, state: PeerEntry['state'] = 'alive', role: PeerEntry['role'] = 'voter') =>
  ({ name, address: `${name}:1`, role, state }) as const;

describe('the order of the voters', () => {
  test('is the one that peers hash', () => {
    const homes = new Homes();
    homes.learn('p1', [entry('p1'), entry('p2', 'dead'), entry('p3'), entry('o1', 'alive', 'observer')]);
    expect(homes.names).toEqual(['p1', 'p2', 'p3']);
    expect(homes.alive).toEqual([true, false, true]);
    const hashes = ['p1', 'p2', 'p3'].map(hashText);
    for (const scope of ['a', 'b', 'db-migration'])
      expect(homes.lineOf(scope)).toEqual(lineOf(scope, hashes));
    expect(homes.lineOf('a')).toBe(homes.lineOf('a'));
  });

  test('is found anew when the voters change', () => {
    const homes = new Homes();
    homes.learn(
      'p1',
      ['p1', 'p2', 'p3'].map((name) => entry(name)),
    );
    const before = homes.lineOf('a');
    homes.learn(
      'p1',
      ['p1', 'p2', 'p3'].map((name) => entry(name, 'suspect')),
    );
    expect(homes.lineOf('a')).toBe(before);
    homes.learn(
      'p1',
      ['p1', 'p2', 'p3', 'p4', 'p5'].map((name) => entry(name)),
    );
    expect(homes.lineOf('a')).toHaveLength(5);
  });

  test('who is alive is what most say: one that is cut off takes all others for dead', () => {
    const homes = new Homes();
    const dead = (...names: string[]) =>
      ['p1', 'p2', 'p3'].map((name) => entry(name, names.includes(name) ? 'dead' : 'alive'));
    homes.learn('p3', dead('p1', 'p2'));
    expect(homes.alive).toEqual([false, false, true]);
    homes.learn('p1', dead('p3'));
    homes.learn('p2', dead('p3'));
    expect(homes.alive).toEqual([true, true, false]);
    homes.forget('p2');
    expect(homes.alive, 'in doubt it is asked').toEqual([true, true, true]);
    homes.forget('p1');
    homes.forget('p3');
    expect(homes.alive).toEqual([false, false, true]);
  });

  test('of many scopes are not all remembered', () => {
    const homes = new Homes();
    homes.learn('p1', [entry('p1'), entry('p2')]);
    const first = homes.lineOf('first');
    for (let i = 0; i < 10_000; i++) homes.lineOf(`s${i}`);
    expect(homes.lineOf('first')).not.toBe(first);
    expect(homes.lineOf('first')).toEqual(first);
  });
});

describe('an address', () => {
  test.each([
    ['10.0.0.2:20194', '10.0.0.1:20194', 'p1.example:20194', true],
    ['127.0.0.1:20195', '127.0.0.1:20194', '127.0.0.1:20194', true],
    ['127.0.0.1:20195', '127.0.0.1:20194', 'localhost:20194', true],
    ['[::1]:20195', '[::1]:20194', '127.0.0.1:20194', true],
    ['127.0.0.1:20195', '127.0.0.1:20194', 'localhost:9000', false],
    ['127.0.0.1:20195', '127.0.0.1:20194', 'p1.example:20194', false],
    ['localhost:20195', '', '127.0.0.1:20194', false],
    ['0.0.0.0:20195', '0.0.0.0:20194', '10.0.0.1:20194', false],
    ['[::]:20195', '[::]:20194', '10.0.0.1:20194', false],
    ['', '127.0.0.1:1', '127.0.0.1:1', false],
  ])('%s, told by who says that it is at %s and was dialed at %s: %s', (address, own, dialed, reachable) => {
    expect(isReachable(address, own, dialed)).toBe(reachable);
  });
});
