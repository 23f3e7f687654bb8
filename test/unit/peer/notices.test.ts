/**
 * Where news goes (peer.ts): a notice to the peer that a gateway's session was last heard from, an obituary to all;
 * and what a peer does with such news of others.
 */
import { expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import type { FencingToken, LockId, SessionId } from '../../../src/lock/state.ts';
import { GATEWAYS_REMEMBERED } from '../../../src/peer/limits.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import { acquire } from '../vote/host.ts';
import { Home, SCOPE } from './home.ts';

const S = 's' as SessionId;

const waits = (lockId: string, gateway: string): Command => {
  return { ...acquire(lockId), wait: true, gateway: gateway as SessionId };
};
const release = (lockId: string): Command => {
  return { kind: 'release', lockId: lockId as LockId, gateway: null, force: null, at: 0 };
};
/** Of the gateway g2, about this lock id. */
const from = (kind: 'claim' | 'convert' | 'cancel' | 'park' | 'release', lockId: string): Command => {
  const rest = { token: 0 as FencingToken, mode: 'write', wait: false, force: null, at: 0 } as const;
  return { kind, lockId: lockId as LockId, gateway: 'g2' as SessionId, ...rest };
};
const look = (gateway: string): Command => ({ kind: 'look', gateway: gateway as SessionId });

/** a holds, b waits at g2 through peer 2. */
const queue = () => {
  const home = new Home();
  home.forward(1, acquire('a'));
  home.forward(2, waits('b', 'g2'));
  expect(home.news()).toEqual([]);
  return home;
};

test('a notice goes to the peer through which the waiter came, and to nobody else', () => {
  const home = queue();
  home.forward(1, release('a'));
  expect(home.news()).toEqual(['notice b -> 2']);
});

test('it goes where the gateway was last heard of, by whatever command', () => {
  for (const command of [look('g2'), waits('c', 'g2'), from('claim', 'b'), from('convert', 'b')]) {
    const home = queue();
    home.forward(1, command);
    home.forward(2, release('a'));
    expect(home.news()).toEqual(['notice b -> 1']);
  }
});

test('but not by one that may name the gateway of another peer', () => {
  for (const kind of ['cancel', 'park', 'release'] as const) {
    const home = queue();
    home.forward(2, waits('c', 'g2'));
    home.forward(1, from(kind, 'c'));
    home.forward(1, release('a'));
    expect(home.news()).toEqual(['notice b -> 2']);
  }
});

test('a gateway that was not heard of for long is told nothing: it looks, and is known again', () => {
  const home = queue();
  for (let i = 0; i < GATEWAYS_REMEMBERED; i++) home.forward(1, look(`g${i + 10}`));
  home.forward(2, waits('c', 'g2'));
  for (let i = 0; i < GATEWAYS_REMEMBERED; i++) home.forward(1, look(`h${i + 10}`));
  home.forward(1, release('a'));
  expect(home.news()).toEqual([]);
  home.forward(2, look('g2'));
  home.forward(1, release('b'));
  expect(home.news()).toEqual(['notice c -> 2']);
});

test('an opening of a session is no sign of a gateway: its register is not where anybody waits', () => {
  const home = queue();
  home.forward(1, { ...acquire('g2'), gateway: 'g2' as SessionId }, scopeOfSession('g2' as SessionId));
  home.forward(1, release('a'));
  expect(home.news()).toEqual(['notice b -> 2']);
});

test('the death of a session is told to all the others', () => {
  const home = new Home();
  home.forward(1, acquire('s'), scopeOfSession(S));
  home.forward(2, release('s'), scopeOfSession(S));
  expect(home.news()).toEqual(['obituary s -> 1', 'obituary s -> 2']);
  home.forward(2, release('s'), scopeOfSession(S));
  expect(home.news()).toEqual([]);
});

test('an obituary from another peer has its locks swept here, and the next in line told', () => {
  const home = new Home();
  home.forward(1, { ...acquire('a'), session: S, leaseMs: 0 });
  home.forward(2, waits('b', 'g2'));
  home.hear(1, { kind: 'obituary', session: S });
  home.wait(2_000); // at once at the home, some steps later elsewhere
  expect(home.news()).toEqual(['notice b -> 2']);
  expect([...home.peer.held()].map(([, { state }]) => state.holders[0]!.lockId)).toEqual(['b']);
});

test('sessions are not told of as held scopes', () => {
  const home = new Home();
  home.forward(1, acquire('s'), scopeOfSession(S));
  home.forward(1, acquire('a'));
  expect([...home.peer.held()].map(([scope]) => scope)).toEqual([SCOPE]);
});
