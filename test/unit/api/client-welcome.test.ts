import { expect, test } from 'vitest';
import { isSameWelcome, welcomeOf } from '../../../src/api/client-welcome.ts';
import type { MemberView } from '../../../src/mesh/types.ts';
import { decided, ScriptedPeer } from './scripted.ts';

class Peer extends ScriptedPeer {
  override readonly name = 'o1';
  override readonly voters = ['v2', 'v1'];
  seen: MemberView[] = [];

  constructor(...seen: MemberView[]) {
    super(() => decided({ kind: 'state' }));
    this.seen = seen;
  }

  override members() {
    return this.seen;
  }
}

const member = (name: string, more: Partial<MemberView> = {}): MemberView => ({
  name,
  address: `${name}:1`,
  role: 'voter',
  state: 'alive',
  rttMs: 1,
  ...more,
});
const observer = member('o1', { role: 'observer', rttMs: null });

test('voters come first, in their order; one that nobody told of yet is there too', () => {
  expect(welcomeOf(new Peer(observer, member('v1', { state: 'suspect' })))).toEqual({
    kind: 'welcome',
    version: 1,
    name: 'o1',
    epoch: 1,
    mesh: 'a-mesh',
    peers: [
      { name: 'v2', address: '', role: 'voter', state: 'dead' },
      { name: 'v1', address: 'v1:1', role: 'voter', state: 'suspect' },
      { name: 'o1', address: 'o1:1', role: 'observer', state: 'alive' },
    ],
  });
});

test('only what clients are told is news', () => {
  const before = welcomeOf(new Peer(observer, member('v1'), member('v2')));
  const same = (...seen: MemberView[]) => isSameWelcome(before, welcomeOf(new Peer(...seen)));
  expect(same(member('v2', { rttMs: 7 }), member('v1'), observer)).toBe(true);
  expect(same(observer, member('v1'), member('v2', { state: 'dead' }))).toBe(false);
  expect(same(observer, member('v1', { address: 'v1:2' }), member('v2'))).toBe(false);
  expect(same(observer, member('v1'), member('v2'), member('o2', { role: 'observer' }))).toBe(false);
  expect(same({ ...observer, name: 'o3' }, member('v1'), member('v2'))).toBe(false);
  expect(isSameWelcome(before, { ...before, epoch: 2 })).toBe(false);
  expect(isSameWelcome(before, { ...before, mesh: 'another' })).toBe(false);
});
