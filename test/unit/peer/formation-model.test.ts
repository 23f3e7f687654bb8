/**
 * Random meshes that form: hellos arrive late, twice, in any order or never; peers crash and lose what was not
 * flushed, or find it flushed though nobody told them; disks are wiped.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type FormationConfig,
  type FormationState,
  type FormationStep,
  helloOf,
  type RosterHello,
  type Stored,
  startFormation,
  stepFormation,
} from '../../../src/peer/formation.ts';
import { viewOf } from '../../../src/peer/formation-view.ts';
import type { Roster } from '../../../src/peer/roster.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

type Action =
  | { readonly kind: 'deliver'; readonly to: number; readonly which: number }
  | { readonly kind: 'flush'; readonly at: number }
  | { readonly kind: 'crash'; readonly at: number; readonly flushed: boolean }
  | { readonly kind: 'wipe'; readonly at: number }
  | { readonly kind: 'gone'; readonly at: number; readonly from: number }
  /** Not honest: the disk forgets what was announced, under the same identity. */
  | { readonly kind: 'restore'; readonly at: number };

class Mesh {
  readonly peers: FormationState[] = [];
  private readonly configs: FormationConfig[] = [];
  private readonly wipes: number[];
  /** Every hello that was ever said: each may arrive at any time, more than once. */
  private readonly said: RosterHello[] = [];
  private readonly counted = new Map<string, Roster>();

  /** @param n voters, and one observer after them. */
  constructor(n: number) {
    const configured = Array.from({ length: n }, (_, i) => `p${i}`);
    this.wipes = Array.from({ length: n + 1 }, () => 0);
    for (let i = 0; i <= n; i++) {
      const observer = i === n;
      const name = `p${i}`;
      this.configs.push({ name, identity: `${name}.0`, address: '', observer, configured, hash });
      this.start(i, { kind: 'nothing' });
    }
  }

  private start(i: number, disk: Stored): void {
    this.take(i, startFormation(this.configs[i]!, disk));
    this.said.push(helloOf(this.peers[i]!));
  }

  private take(i: number, { state, outputs }: FormationStep): void {
    this.peers[i] = state;
    for (const output of outputs) {
      if (output.kind === 'announce') this.said.push(helloOf(state));
      if (output.kind === 'counts' && output.votes) {
        expect(state.durable).toMatchObject({ kind: 'counted', mesh: output.mesh });
      }
    }
    if (state.durable.kind !== 'counted') return;
    // Another mesh counts only where every voter of the former one was wiped.
    const { mesh, roster } = state.durable;
    this.counted.set(mesh, roster);
    for (const [other, former] of this.counted) {
      if (other === mesh) continue;
      for (const { name, identity } of former.voters) {
        const now = this.configs.find((config) => config.name === name)!.identity;
        if (now === identity && !this.configs[i]!.observer)
          throw new Error(`two meshes, ${identity} in the former`);
      }
    }
    const votes = this.peers.filter((peer) => peer !== undefined && !peer.config.observer);
    const meshes = new Set(votes.map(({ durable }) => (durable.kind === 'counted' ? durable.mesh : mesh)));
    if (!state.config.observer && meshes.size !== 1) throw new Error('two meshes on the disks of one moment');
  }

  do(action: Action): void {
    const at = ('at' in action ? action.at : action.to) % this.peers.length;
    const peer = this.peers[at]!;
    switch (action.kind) {
      case 'deliver': {
        const hello = this.said[action.which % this.said.length]!;
        if (hello.name !== peer.config.name) this.take(at, stepFormation(peer, { kind: 'hello', hello }));
        break;
      }
      case 'flush':
        if (peer.flushing !== null) this.take(at, stepFormation(peer, { kind: 'flushed' }));
        break;
      case 'crash':
        this.start(at, action.flushed ? (peer.flushing ?? peer.durable) : peer.durable);
        break;
      case 'gone':
        this.take(at, stepFormation(peer, { kind: 'gone', name: `p${action.from % this.peers.length}` }));
        break;
      case 'wipe':
        this.configs[at] = { ...peer.config, identity: `p${at}.${++this.wipes[at]!}` };
        this.start(at, { kind: 'nothing' });
        break;
      case 'restore':
        this.start(at, { kind: 'nothing' });
        break;
    }
  }

  /** No more faults: everybody hears everybody, until nothing is new. */
  calm(order: (n: number) => number): void {
    for (let rounds = 0; rounds < 8; rounds++) {
      const pairs = this.peers.flatMap((_, from) => this.peers.map((_, to) => [from, to] as const));
      while (pairs.length > 0) {
        const [from, to] = pairs.splice(order(pairs.length), 1)[0]!;
        if (from === to) continue;
        this.take(to, stepFormation(this.peers[to]!, { kind: 'hello', hello: helloOf(this.peers[from]!) }));
        this.do({ kind: 'flush', at: to });
      }
    }
  }
}

const at = fc.nat(5);
const honest: fc.Arbitrary<Action>[] = [
  fc.record({ kind: fc.constant('deliver' as const), to: at, which: fc.nat(1_000) }),
  fc.record({ kind: fc.constant('flush' as const), at }),
  fc.record({ kind: fc.constant('crash' as const), at, flushed: fc.boolean() }),
  fc.record({ kind: fc.constant('gone' as const), at, from: at }),
];
const wipe = fc.record({ kind: fc.constant('wipe' as const), at });
const restore = fc.record({ kind: fc.constant('restore' as const), at });

/** Mostly hellos and flushes, or nothing ever happens. */
const actions = (...rare: fc.Arbitrary<Action>[]) => {
  const weights = [12, 5, 1, 1];
  const often = honest.map((arbitrary, i) => ({ arbitrary, weight: weights[i]! }));
  const all = [...often, ...rare.map((arbitrary) => ({ arbitrary, weight: 1 }))];
  return fc.array(fc.oneof(...all), { maxLength: 120, size: 'max' });
};

const run = (n: number, todo: readonly Action[]): Mesh => {
  const mesh = new Mesh(n);
  for (const action of todo) mesh.do(action);
  return mesh;
};

const voters = fc.integer({ min: 1, max: 4 });

test('two first rosters never count, whatever is wiped, unless all of the former mesh was', () => {
  let counted = 0;
  const property = fc.property(voters, actions(wipe), (n, todo) => {
    const mesh = run(n, todo);
    if (mesh.peers.some(({ durable }) => durable.kind === 'counted')) counted++;
  });
  fc.assert(property, { numRuns: 1_500 });
  expect(counted).toBeGreaterThan(300);
});

test('after the faults end, a mesh of which nobody was wiped counts, at every peer', () => {
  const property = fc.property(voters, actions(), fc.array(fc.nat(), { minLength: 1 }), (n, todo, order) => {
    const mesh = run(n, todo);
    let turn = 0;
    mesh.calm((pairs) => order[turn++ % order.length]! % pairs);
    for (const peer of mesh.peers) {
      expect(viewOf(peer)).toEqual({ kind: peer.config.observer ? 'observing' : 'voting', problems: [] });
    }
  });
  fc.assert(property, { numRuns: 500 });
});

test('the check can fail: disks that forget what they announced make two meshes of one', () => {
  const property = fc.property(voters, actions(wipe, restore), (n, todo) => {
    run(n, todo);
  });
  expect(fc.check(property, { numRuns: 5_000, seed: 1, endOnFailure: true }).failed).toBe(true);
});
