import { describe, expect, test } from 'vitest';
import { firstRoster } from '../../../src/peer/roster.ts';
import {
  BOOT_RANDOM,
  rowOfSighting,
  type Seen,
  type Sighting,
  type StandingRow,
  Standings,
  type StandingVerdict,
} from '../../../src/peer/standing.ts';

const ROSTER = firstRoster([
  { name: 'p1', identity: 'id1' },
  { name: 'p2', identity: 'id2' },
]);
const boot = (counter: number, random = 7) => counter * BOOT_RANDOM + random;

const word = (kind: Sighting['kind'], at: number, position: number, question = 0): Sighting => ({
  kind,
  name: 'p2',
  identity: 'id2',
  boot: at,
  position,
  question,
});

describe('every combination of what was seen and what is said', () => {
  interface Case {
    readonly seen: Seen | undefined;
    readonly said: Sighting;
  }
  const seens: (Seen | undefined)[] = [undefined];
  for (const at of [-1, boot(5)])
    for (const linked of [false, true])
      for (const [question, positionAsked] of [
        [0, -1],
        [3, 40],
        [3, 50],
      ] as const)
        for (const refused of [null, 'twin'] as const) {
          const position = at < 0 ? -1 : 50;
          seens.push({ identity: 'id2', boot: at, position, linked, question, positionAsked, refused });
        }

  function* cases(): Iterable<Case> {
    for (const seen of seens)
      for (const kind of ['hello', 'ping', 'answer'] as const)
        for (const identity of ['id2', 'idX'])
          for (const at of [boot(4), boot(5, 6), boot(5), boot(5, 8), boot(6)])
            for (const position of [39, 40, 49, 50, 51])
              for (const question of [0, 2, 3])
                yield { seen, said: { kind, name: 'p2', identity, boot: at, position, question } };
  }

  /** The rows of the header, each by itself. */
  const judged = (c: Case) =>
    c.seen !== undefined && c.said.identity === 'id2' && c.seen.refused === null && c.seen.boot >= 0;
  const newer = (c: Case) => judged(c) && c.said.boot === boot(6);
  const older = (c: Case) => judged(c) && c.said.boot === boot(4);
  const same = (c: Case) => judged(c) && c.said.boot === boot(5);
  const answers = (c: Case) => c.said.kind === 'answer' && c.said.question === 3 && c.seen!.question === 3;
  const lower = (c: Case) => c.said.position < 50;
  const ROWS: Record<StandingRow, (c: Case) => boolean> = {
    A: (c) => c.seen === undefined,
    B: (c) => c.seen !== undefined && c.said.identity === 'idX',
    C: (c) => c.said.identity === 'id2' && c.seen?.refused === 'twin',
    D: (c) => c.said.identity === 'id2' && c.seen?.refused === null && c.seen.boot < 0,
    E: (c) => judged(c) && (c.said.boot === boot(5, 6) || c.said.boot === boot(5, 8)),
    F: (c) => newer(c) && !lower(c),
    G: (c) => newer(c) && lower(c),
    H: (c) => older(c) && c.said.kind === 'hello',
    I: (c) => older(c) && c.said.kind !== 'hello' && !answers(c),
    J: (c) => older(c) && answers(c) && c.seen!.linked,
    K: (c) => older(c) && answers(c) && !c.seen!.linked,
    L: (c) => same(c) && !lower(c),
    M: (c) => same(c) && lower(c) && !answers(c),
    N: (c) => same(c) && lower(c) && answers(c) && c.said.position < c.seen!.positionAsked,
    O: (c) => same(c) && lower(c) && answers(c) && c.said.position >= c.seen!.positionAsked,
  };

  test('exactly one row each, and all rows come up', () => {
    const all = new Set<string>();
    for (const c of cases()) {
      const rows = Object.entries(ROWS).filter(([, holds]) => holds(c));
      const row = rowOfSighting(c.seen, c.said);
      if (rows.length !== 1 || rows[0]![0] !== row) expect([rows, row, c]).toBeUndefined();
      all.add(row);
    }
    expect([...all].sort().join('')).toBe('ABCDEFGHIJKLMNO');
  });
});

describe('standings', () => {
  const short = (verdict: StandingVerdict) =>
    verdict.kind === 'refuse'
      ? verdict.refusal.reason
      : verdict.kind === 'ask'
        ? verdict.question
        : verdict.kind;
  const told = (standings: Standings, ...words: Sighting[]) =>
    words.map((said) => short(standings.see(said)));
  const fresh = () => new Standings(ROSTER, []);

  test('starts, links again, restarts', () => {
    expect(
      told(
        fresh(),
        word('hello', boot(1), 10),
        word('ping', boot(1), 12),
        word('hello', boot(1), 12),
        word('hello', boot(2), 12),
        word('ping', boot(1), 12),
      ),
    ).toEqual(['newer', 'ok', 'ok', 'newer', 'late']);
  });

  test('a wiped disk is refused, the true one is not', () => {
    const standings = fresh();
    const wiped = { ...word('hello', boot(1), 0), identity: 'idX' };
    expect(told(standings, word('hello', boot(9), 10), wiped, word('ping', boot(9), 11))).toEqual([
      'newer',
      'identity',
      'ok',
    ]);
    expect(standings.refusalOf('p2')).toBeUndefined();
  });

  test('a stranger is not judged', () => {
    expect(told(fresh(), { ...word('hello', boot(1), 0), name: 'p9' })).toEqual(['unknown']);
  });

  test('a restored copy: newer boot, older votes', () => {
    expect(told(fresh(), word('hello', boot(5), 50), word('hello', boot(6), 49))).toEqual([
      'newer',
      'behind',
    ]);
  });

  test('a restored copy: older boot, and nobody else lives', () => {
    const standings = fresh();
    expect(told(standings, word('hello', boot(5), 50), word('hello', boot(3), 20))).toEqual(['newer', 1]);
    standings.closed('p2', boot(5));
    expect(told(standings, word('answer', boot(3), 20, 1))).toEqual(['behind']);
  });

  test('twins: the older process answers after the newer one has spoken', () => {
    const standings = fresh();
    const words = [word('hello', boot(5), 50), word('hello', boot(6), 50), word('hello', boot(5), 51)];
    expect(told(standings, ...words)).toEqual(['newer', 'newer', 1]);
    expect(told(standings, word('answer', boot(5), 51, 1))).toEqual(['twin']);
    expect(told(standings, word('ping', boot(6), 60))).toEqual(['twin']);
  });

  test('twins: one counter, two random parts', () => {
    expect(told(fresh(), word('hello', boot(5, 1), 50), word('hello', boot(5, 2), 60))).toEqual([
      'newer',
      'twin',
    ]);
  });

  test('a late hello of a restarted peer is asked, nobody answers, and nothing comes of it', () => {
    const words = [word('hello', boot(6), 50), word('hello', boot(5), 49), word('ping', boot(6), 51)];
    expect(told(fresh(), ...words, word('hello', boot(7), 51))).toEqual(['newer', 1, 'ok', 'newer']);
  });

  test('two links of one boot race: asked, and its answer clears it', () => {
    const words = [word('hello', boot(5), 50), word('hello', boot(5), 45), word('ping', boot(5), 52)];
    expect(told(fresh(), ...words, word('answer', boot(5), 51, 1))).toEqual(['newer', 1, 'ok', 'ok']);
  });

  test('a machine set back with its memory: the same boot, and its answer is behind', () => {
    const words = [word('hello', boot(5), 50), word('hello', boot(5), 45), word('answer', boot(5), 46, 1)];
    expect(told(fresh(), ...words)).toEqual(['newer', 1, 'behind']);
  });

  test('a refusal is told in words that end in the mend, outlives a restart and an epoch, and ends by either', () => {
    let standings = fresh();
    told(standings, word('hello', boot(5), 50), word('hello', boot(6), 49));
    const refusal = standings.refusalOf('p2')!;
    expect(refusal).toMatchObject({ name: 'p2', epoch: 1, mend: 'quorate roster replace p2' });
    expect(refusal.text.endsWith(refusal.mend)).toBe(true);
    standings = new Standings(ROSTER, standings.takeSaved()!);
    expect(told(standings, word('hello', boot(7), 99))).toEqual(['behind']);
    const second = { ...ROSTER, epoch: 2 };
    standings.enter(second);
    expect(told(standings, word('hello', boot(7), 99))).toEqual(['behind']);
    expect(standings.refusalOf('p2')!.epoch).toBe(2);

    const readmitted = new Standings(second, standings.takeSaved()!);
    readmitted.readmit('p2');
    expect(told(readmitted, word('hello', boot(7), 9))).toEqual(['newer']);
    const replaced = { epoch: 3, voters: [ROSTER.voters[0]!, { name: 'p2', identity: 'idX' }] };
    standings.enter(replaced);
    expect(told(standings, { ...word('hello', boot(1), 0), identity: 'idX' })).toEqual(['newer']);
    expect(told(standings, word('hello', boot(7), 99))).toEqual(['identity']);
  });

  test('what is saved is what was seen last', () => {
    const standings = fresh();
    standings.takeSaved();
    expect(standings.takeSaved()).toBeUndefined();
    told(standings, word('hello', boot(5), 50), word('ping', boot(5), 51));
    expect(standings.takeSaved()).toEqual([
      { name: 'p2', identity: 'id2', boot: boot(5), position: 51, refused: null },
    ]);
    told(standings, word('ping', boot(5), 51));
    expect(standings.takeSaved()).toBeUndefined();
  });
});
