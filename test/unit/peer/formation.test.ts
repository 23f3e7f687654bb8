import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  type FormationConfig,
  type FormationState,
  type FormationStep,
  helloOf,
  type RosterHello,
  type Row,
  rowOfHello,
  type Stored,
  startFormation,
  stepFormation,
} from '../../../src/peer/formation.ts';
import { viewOf } from '../../../src/peer/formation-view.ts';
import { firstRoster, meshIdOf, type Roster } from '../../../src/peer/roster.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const NAMES = ['p1', 'p2', 'p3'];

const roster = (...voters: string[]): Roster =>
  firstRoster(voters.map((voter) => ({ name: voter.slice(0, 2), identity: voter })));

/** An identity is the name and a letter: p1a is p1 before its disk was wiped, p1b afterwards. */
const OURS = roster('p1a', 'p2a', 'p3a');
const OTHER = roster('p1a', 'p2a', 'p3z');
const mesh = (of: Roster) => meshIdOf(of, hash);
const stored = (of: Roster): Stored => ({ kind: 'stored', roster: of, mesh: mesh(of) });
const counted = (of: Roster): Stored => ({ kind: 'counted', roster: of, mesh: mesh(of) });

function config(identity: string, more: Partial<FormationConfig> = {}): FormationConfig {
  const name = identity.slice(0, 2);
  return { name, identity, address: '127.0.0.1:20194', observer: false, configured: NAMES, hash, ...more };
}

function hello(
  identity: string,
  has: Stored = { kind: 'nothing' },
  more: Partial<RosterHello> = {},
): RosterHello {
  const name = identity.slice(0, 2);
  const said = {
    mesh: has.kind === 'nothing' ? null : has.mesh,
    roster: has.kind === 'counted' ? has.roster : null,
  };
  return { name, identity, observer: false, configured: NAMES, ...said, ...more };
}

/** All outputs of several hellos to one peer. */
function hear(start: FormationStep, ...hellos: RosterHello[]): FormationStep {
  let { state } = start;
  const outputs = [...start.outputs];
  for (const said of hellos) {
    const step = stepFormation(state, { kind: 'hello', hello: said });
    state = step.state;
    outputs.push(...step.outputs);
  }
  return { state, outputs };
}

const flushed = (state: FormationState) => stepFormation(state, { kind: 'flushed' });

describe('every combination of what is stored and what is said', () => {
  interface Case {
    readonly held: Stored;
    readonly observer: boolean;
    readonly acknowledged: boolean;
    /** Whether the third voter is heard, and with what. */
    readonly third: RosterHello | undefined;
    readonly said: RosterHello;
  }

  const helds: Stored[] = [{ kind: 'nothing' }, stored(OURS), counted(OURS)];
  const says: Stored[] = [
    { kind: 'nothing' },
    stored(OURS),
    stored(OTHER),
    counted(OURS),
    counted(OTHER),
    counted(roster('p1b', 'p2a', 'p3a')),
    counted(roster('p2a', 'p3a', 'p4a')),
    { kind: 'counted', mesh: mesh(OURS), roster: { ...roster('p1b', 'p2a', 'p3a'), epoch: 2 } },
    { kind: 'counted', mesh: mesh(OURS), roster: { ...roster('p2a', 'p3a'), epoch: 2 } },
  ];
  const thirds = [
    undefined,
    hello('p3a'),
    hello('p3a', stored(OURS)),
    hello('p3a', stored(OTHER)),
    hello('p3a', { kind: 'nothing' }, { configured: ['p1', 'p3'] }),
    hello('p3a', { kind: 'nothing' }, { observer: true }),
  ];

  function* cases(): Iterable<Case> {
    for (const held of helds)
      for (const observer of [false, true])
        for (const acknowledged of held.kind === 'stored' ? [false, true] : [false])
          for (const third of thirds)
            for (const identity of ['p1a', 'p1b', 'p2a', 'p2b', 'p9a'])
              for (const has of says)
                for (const configured of [NAMES, ['p1', 'p2']])
                  for (const saidObserver of [false, true]) {
                    const said = hello(identity, has, { configured, observer: saidObserver });
                    yield { held, observer, acknowledged, third, said };
                  }
  }

  /** The rows of the header, each by itself: exactly one of them has to hold. */
  const names = (c: Case) => c.said.configured.length === 3;
  const me = (c: Case) => c.said.name === 'p1';
  const counts = (c: Case) => !me(c) && c.said.roster !== null;
  const uncounted = (c: Case) => !me(c) && c.said.roster === null && c.held.kind !== 'counted';
  const same = (c: Case) => c.held.kind !== 'nothing' && c.held.mesh === c.said.mesh;
  const mine = (c: Case) => c.said.roster?.voters.find((voter) => voter.name === 'p1')?.identity;
  const outside = (c: Case) => counts(c) && c.held.kind !== 'counted';
  const listed = (c: Case) => c.said.identity === 'p2a';
  const k = (c: Case) => uncounted(c) && c.held.kind === 'stored' && same(c) && listed(c);
  const voteless = (c: Case) =>
    c.said.observer ? c.said.mesh === null || c.said.name === 'p9' : c.said.name === 'p9' && names(c);
  const l = (c: Case) => uncounted(c) && !k(c) && voteless(c);
  const m = (c: Case) => uncounted(c) && !k(c) && !l(c) && !names(c);
  const rest = (c: Case) => uncounted(c) && !k(c) && !l(c) && !m(c);
  const n = (c: Case) => c.acknowledged || (listed(c) && c.said.mesh === null);
  const fresh = (c: Case) => rest(c) && c.held.kind === 'nothing';
  const all = (c: Case) =>
    !c.observer &&
    !c.said.observer &&
    c.third !== undefined &&
    c.third.configured.length === 3 &&
    !c.third.observer;
  /** Only p2a and p3a amount to a roster that somebody in these cases has stored. */
  const differs = (c: Case, by: RosterHello) => by.mesh !== null && !(listed(c) && by.mesh === mesh(OURS));
  const ROWS: Record<Row, (c: Case) => boolean> = {
    A: (c) => c.said.identity === 'p1a',
    B: (c) => c.said.identity === 'p1b',
    C: (c) => counts(c) && c.held.kind === 'counted' && same(c),
    D: (c) => counts(c) && c.held.kind === 'counted' && !same(c),
    E: (c) => outside(c) && mine(c) === 'p1a' && same(c),
    F: (c) => outside(c) && mine(c) === 'p1a' && !same(c),
    G: (c) => outside(c) && mine(c) === 'p1b',
    H: (c) => outside(c) && mine(c) === undefined && c.observer && (same(c) || c.held.kind === 'nothing'),
    I: (c) => outside(c) && mine(c) === undefined && !(c.observer && (same(c) || c.held.kind === 'nothing')),
    J: (c) => !me(c) && c.said.roster === null && c.held.kind === 'counted',
    K: k,
    L: l,
    M: m,
    N: (c) => rest(c) && c.held.kind === 'stored' && n(c),
    O: (c) => rest(c) && c.held.kind === 'stored' && !n(c),
    P: (c) => fresh(c) && (!all(c) || (!differs(c, c.said) && differs(c, c.third!))),
    Q: (c) => fresh(c) && all(c) && !differs(c, c.said) && !differs(c, c.third!),
    R: (c) => fresh(c) && all(c) && differs(c, c.said),
  };

  test('exactly one row each, and all rows come up', () => {
    const seen = new Map<Row, number>();
    for (const c of cases()) {
      const { third, said } = c;
      const state: FormationState = {
        ...startFormation(config('p1a', { observer: c.observer }), c.held).state,
        acknowledged: new Set(c.acknowledged ? ['p2'] : []),
        heard: new Map([...(third === undefined ? [] : [third]), said].map((of) => [of.name, of])),
      };
      const rows = Object.entries(ROWS).filter(([, holds]) => holds(c));
      expect([rows.map(([row]) => row).join(), c]).toEqual([rowOfHello(state, said), c]);
      seen.set(rows[0]![0] as Row, (seen.get(rows[0]![0] as Row) ?? 0) + 1);
    }
    expect([...seen.keys()].sort().join('')).toBe('ABCDEFGHIJKLMNOPQR');
  });

  test('what each row puts out', () => {
    const outputs = new Map<Row, Set<string>>();
    for (const c of cases()) {
      const { state } = startFormation(config('p1a', { observer: c.observer }), c.held);
      const before = { ...state, acknowledged: new Set(c.acknowledged ? ['p2'] : []) };
      const step = hear({ state: before, outputs: [] }, c.said);
      const row = rowOfHello({ ...before, heard: new Map([[c.said.name, c.said]]) }, c.said);
      const kinds = step.outputs.map((o) => (o.kind === 'store' ? `store ${o.stored.kind}` : o.kind));
      if (step.outputs.some((o) => o.kind === 'counts' && o.votes)) kinds.push('votes');
      outputs.set(row, (outputs.get(row) ?? new Set()).add(kinds.join() || 'nothing'));
    }
    const said = Object.fromEntries([...outputs].map(([row, kinds]) => [row, [...kinds].sort().join(' | ')]));
    const nothing = Object.fromEntries([...'ABCDJKLMNOP'].map((row) => [row, 'nothing']));
    const refused = Object.fromEntries([...'FGI'].map((row) => [row, 'counts']));
    expect(said).toEqual({ ...nothing, ...refused, E: 'store counted', H: 'store counted' });
  });
});

describe('forming', () => {
  const start = (identity: string) => startFormation(config(identity), { kind: 'nothing' });

  test('hellos, then stores, then votes once both others have flushed', () => {
    let { state, outputs } = hear(start('p1a'), hello('p3a'), hello('p2a'));
    expect(outputs).toEqual([{ kind: 'store', stored: stored(OURS) }]);
    expect(helloOf(state).mesh).toBeNull();
    ({ state, outputs } = flushed(state));
    expect(outputs).toEqual([{ kind: 'announce' }]);
    expect(helloOf(state)).toEqual(hello('p1a', stored(OURS)));
    expect(viewOf(state)).toEqual({ kind: 'forming', missing: ['p2', 'p3'], problems: [] });
    ({ state, outputs } = hear({ state, outputs: [] }, hello('p2a', stored(OURS))));
    expect(outputs).toEqual([]);
    ({ state } = stepFormation(state, { kind: 'gone', name: 'p2' }));
    expect(viewOf(state)).toMatchObject({ missing: ['p3'] });
    ({ state, outputs } = hear({ state, outputs: [] }, hello('p3a', stored(OURS))));
    expect(outputs).toEqual([{ kind: 'store', stored: counted(OURS) }]);
    expect(viewOf(state).kind).toBe('forming');
    ({ state, outputs } = flushed(state));
    expect(outputs).toEqual([
      { kind: 'announce' },
      { kind: 'counts', mesh: mesh(OURS), roster: OURS, votes: true },
    ]);
    expect(viewOf(state)).toEqual({ kind: 'voting', problems: [] });
  });

  test('flushed by the others before its own flush is done: waits for its own', () => {
    const both = [hello('p2a'), hello('p3a'), hello('p2a', stored(OURS)), hello('p3a', stored(OURS))];
    const { state, outputs } = hear(start('p1a'), ...both);
    expect(outputs).toEqual([{ kind: 'store', stored: stored(OURS) }]);
    expect(flushed(state).outputs).toEqual([{ kind: 'announce' }, { kind: 'store', stored: counted(OURS) }]);
  });

  test('a mesh of one', () => {
    const alone = startFormation(config('p1a', { configured: ['p1'] }), { kind: 'nothing' });
    const own = roster('p1a');
    expect(alone.outputs).toEqual([{ kind: 'store', stored: stored(own) }]);
    const step = flushed(alone.state);
    expect(step.outputs).toEqual([{ kind: 'announce' }, { kind: 'store', stored: counted(own) }]);
    expect(flushed(step.state).outputs[1]).toMatchObject({ kind: 'counts', votes: true });
  });

  test('a voter that is not in its own list is a mistake', () => {
    expect(() => startFormation(config('p4a'), { kind: 'nothing' })).toThrow('p4 is to vote');
  });

  test('a vote is believed of the disk only: restarted where it counts', () => {
    const { outputs } = startFormation(config('p1a'), counted(OURS));
    expect(outputs).toEqual([{ kind: 'counts', mesh: mesh(OURS), roster: OURS, votes: true }]);
    const copied = startFormation(config('p1b'), counted(OURS));
    expect(copied.outputs).toMatchObject([{ kind: 'counts', votes: false }]);
    expect(viewOf(copied.state)).toMatchObject({ kind: 'refused', refusal: { reason: 'identity' } });
  });

  test('an observer follows a mesh that counts, and says so after a flush', () => {
    const watching = startFormation(config('p9a', { observer: true }), { kind: 'nothing' });
    const { state, outputs } = hear(watching, hello('p2a', stored(OURS)), hello('p3a', counted(OURS)));
    expect(outputs).toEqual([{ kind: 'store', stored: counted(OURS) }]);
    const done = flushed(state);
    expect(done.outputs[1]).toMatchObject({ kind: 'counts', votes: false });
    expect(viewOf(done.state)).toEqual({ kind: 'observing', problems: [] });
  });

  test('a refused peer that is let in by a wipe of the stray mesh forms its own', () => {
    const stray = hello('p9a', counted(roster('p7a', 'p8a', 'p9a')));
    let { state, outputs } = hear(start('p1a'), stray, hello('p2a'), hello('p3a'));
    expect(outputs).toMatchObject([{ kind: 'counts', votes: false }]);
    ({ state, outputs } = stepFormation(state, { kind: 'gone', name: 'p9' }));
    expect(outputs).toEqual([{ kind: 'store', stored: stored(OURS) }]);
    expect(viewOf(state).kind).toBe('forming');
  });
});

describe('what does not fit is said with names and a mend', () => {
  const view = (held: Stored, ...hellos: RosterHello[]) =>
    viewOf(hear(startFormation(config('p1a'), held), ...hellos).state);
  const texts = (held: Stored, ...hellos: RosterHello[]) => view(held, ...hellos).problems.map((p) => p.text);

  test.each([
    ['F: lost its store', hello('p2a', counted(OURS)), 'quorate roster replace p1'],
    ['G: wiped', hello('p2a', counted(roster('p1z', 'p2a', 'p3a'))), 'quorate roster replace p1'],
    ['I: new', hello('p2a', counted(roster('p2a', 'p3a'))), 'quorate roster add p1=127.0.0.1:20194'],
  ])('refused, row %s', (_, said, mend) => {
    const refused = view({ kind: 'nothing' }, said);
    if (refused.kind !== 'refused') throw new Error(refused.kind);
    expect(refused.refusal.mend).toBe(mend);
    expect(refused.refusal.text.endsWith(mend)).toBe(true);
  });

  test('B: two of one name', () => {
    expect(texts({ kind: 'nothing' }, hello('p1z'))).toEqual([
      'another peer calls itself p1 too: give one of the two another --name',
    ]);
  });

  test('D: another mesh', () => {
    expect(texts(counted(OURS), hello('p9a', counted(roster('p8a', 'p9a'))))).toEqual([
      'p9 belongs to another mesh, that of p8, p9: check the addresses in --roster',
    ]);
  });

  test('M: other names', () => {
    const said = hello('p3a', { kind: 'nothing' }, { configured: ['p1', 'p3', 'p4'] });
    expect(texts({ kind: 'nothing' }, said)).toEqual([
      'the voters are p1, p2, p3 for p1, but p1, p3, p4 for p3: start all voters with the same names in --roster',
    ]);
    expect(texts(stored(OURS), said)).toHaveLength(1);
  });

  test('O: one of the first roster was wiped before it counted', () => {
    const wiped = [hello('p2a', stored(OURS)), hello('p3b')];
    expect(texts(stored(OURS), ...wiped)).toEqual([
      'the first roster that p1, p2 stored cannot count: p3 has another identity now or stored another one: ' +
        'stop p1, p2, empty the data directories of p1, p2, and start again',
    ]);
    expect(texts(stored(OURS), hello('p3b'))[0]).toContain('start p2 first, which may know better');
  });

  test('R: a fresh one finds that the others stored a first roster with what it was', () => {
    const old = stored(roster('p1z', 'p2a', 'p3a'));
    const { state, outputs } = hear(
      startFormation(config('p1a'), { kind: 'nothing' }),
      hello('p2a', old),
      hello('p3a', old),
    );
    expect(outputs).toEqual([]);
    expect(viewOf(state).problems.map((p) => p.text)).toEqual([
      'the first roster that p2, p3 stored cannot count: p2, p3 have another identity now or stored another one: ' +
        'stop p2, p3, empty the data directories of p2, p3, and start again',
    ]);
  });

  test('started with other names than it has stored, or on a copied directory', () => {
    const renamed = startFormation(config('p1a', { configured: ['p1', 'p2'] }), stored(OURS));
    expect(viewOf(renamed.state).problems[0]!.text).toContain('has stored a first roster of p1, p2, p3');
    const copied = startFormation(config('p1b'), stored(OURS));
    expect(viewOf(copied.state).problems[0]!.text).toContain('was stored by another peer');
  });
});
