/**
 * How a ballot, a command and a lease end: nacks (V5), deadlines (V9, V10) and voted expiry (T3).
 */
import { describe, expect, test } from 'vitest';
import type { LeaseId, LockId } from '../../../src/lock/state.ts';
import { endOfRound } from '../../../src/vote/ballot.ts';
import { PIPELINE_MAX } from '../../../src/vote/limits.ts';
import { acquire, ballot, Host, heldByAlice, READ, release } from './host.ts';

const B1 = ballot(1);
const ABOVE = ballot(2, 'p2');

describe('nacks of a majority', () => {
  test('the commands go back, in order, and into the next ballot', () => {
    const host = new Host();
    host.lead();
    host.ask('b', acquire('b'));
    host.ask('c', acquire('c'));
    host.said();
    host.nacked([1], B1, ABOVE);
    host.nacked([2], B1, ballot(7, 'p2'));
    expect([host.told(), host.proposer.phase]).toEqual([[], 'idle']);
    host.wait(20);
    expect(host.said()).toEqual(['prepare 8 -> 012']);
    host.accepted([0, 1, 2], B1, 3);
    expect(host.told()).toEqual([]);
    host.promised([1, 2], ballot(8));
    host.accepted([1, 2], ballot(8), 1);
    expect(host.told()).toEqual(['a granted, 2 votes', 'b busy, 2 votes', 'c busy, 2 votes']);
  });

  test('what was under way goes before what had to wait for its turn', () => {
    const host = new Host();
    host.lead();
    for (let i = 0; i < PIPELINE_MAX; i++) host.ask(`x${i}`, acquire('x'));
    host.nacked([1, 2], B1, ABOVE);
    host.wait(20);
    host.promised([1, 2], ballot(3));
    host.accepted([1, 2], ballot(3), 1);
    expect(host.told().map((line) => line.split(' ')[0])).toEqual(
      ['a'].concat(Array.from({ length: PIPELINE_MAX }, (_, i) => `x${i}`)),
    );
  });

  test('a grant that a rival adopted meanwhile is told as a repeat', () => {
    const host = new Host();
    host.lead();
    const [state] = host.contents();
    host.nacked([1, 2], B1, ABOVE);
    host.wait(20);
    host.promised([1, 2], ballot(3), ABOVE, 2, state as never);
    host.accepted([1, 2], ballot(3), 1);
    expect(host.contents()[0]).toEqual(state);
    expect(host.told()).toEqual(['a granted again, 2 votes']);
  });

  test('duels make longer pauses, up to a bound; a win forgets them', () => {
    const host = new Host();
    host.ask('a', acquire('a'));
    const pauses: number[] = [];
    for (let round = 1; round <= 6; round++) {
      host.nacked([1, 2], ballot(round), ballot(round, 'p2'));
      pauses.push(host.proposer.wakeAt - host.now);
      host.wait(pauses.at(-1)!);
    }
    expect(pauses).toEqual([20, 80, 250, 250, 250, 250]);
    host.promised([0, 1], ballot(7));
    host.nacked([1, 2], ballot(7), ballot(7, 'p2'));
    expect(host.proposer.wakeAt - host.now).toBe(20);
  });

  test('by horizons of restarts: no pause', () => {
    const host = new Host();
    host.lead();
    host.said();
    host.nacked([1, 2], B1, endOfRound(10_000));
    expect(host.said()).toEqual(['prepare 10001 -> 012']);
  });
});

describe('nacks of a minority (V5)', () => {
  test('idle: the ballot ends at once, and nothing is prepared until something comes', () => {
    const host = new Host();
    host.lead();
    host.accepted([0, 1], B1, 1);
    host.said();
    host.nacked([2], B1, ABOVE);
    expect(host.proposer.phase).toBe('idle');
    host.wait(60_000);
    expect(host.said()).toEqual([]);
    host.ask('b', acquire('b'));
    expect(host.said()).toEqual(['prepare 3 -> 012']);
  });

  test('busy: goes on without that voter, ends at the next idle moment', () => {
    const host = new Host();
    host.lead();
    host.nacked([2, 2], B1, ABOVE);
    host.ask('b', acquire('b'));
    expect(host.said().at(-1)).toBe('accept 1 v1 #2 probe -> 01');
    host.accepted([0, 1], B1, 1);
    expect(host.proposer.phase).toBe('leading');
    host.accepted([0, 1], B1, 2);
    expect(host.told()).toEqual(['a granted, 2 votes', 'b busy, 2 votes']);
    expect(host.proposer.phase).toBe('idle');
  });

  test('never idle: ends after 1 s, and what was under way goes into the next ballot', () => {
    const host = new Host();
    host.lead();
    host.said();
    host.nacked([2], B1, ABOVE);
    host.wait(999);
    expect(host.proposer.phase).toBe('leading');
    expect(host.said()).toEqual(['accept 1 v1 #2 probe -> 01', 'accept 1 v1 #3 probe -> 01']);
    host.wait(1);
    expect(host.proposer.phase).toBe('idle');
    host.wait(10);
    expect(host.said()).toEqual(['prepare 3 -> 012']);
  });
});

describe('deadlines', () => {
  test('not sent in a stamp: no quorum, and who was silent', () => {
    const host = new Host(5);
    host.ask('a', acquire('a'), 100);
    host.promised([0, 3], B1);
    host.nacked([4], B1, ABOVE);
    host.wait(99);
    expect(host.told()).toEqual([]);
    host.wait(1);
    expect(host.told()).toEqual(['a no quorum without 12']);
    host.promised([1, 2], B1);
    expect(host.said().slice(1)).toEqual([]);
  });

  test('sent, and no majority answered: unknown; a late majority tells nobody twice', () => {
    const host = new Host();
    host.lead();
    host.ask('b', acquire('b'), 1_000);
    host.accepted([0], B1, 2);
    host.wait(10_000);
    expect(host.told()).toEqual(['b no quorum without 2', 'a unknown']);
    host.accepted([1], B1, 1);
    expect(host.told()).toEqual([]);
    expect(host.proposer.idle).toBe(true);
  });

  test('sent under a ballot that ended: unknown for ever after', () => {
    const host = new Host();
    host.lead();
    host.nacked([1, 2], B1, ABOVE);
    host.wait(10_000);
    expect(host.told()).toEqual(['a unknown']);
  });

  test('late already when its turn comes: it is not sent (V9)', () => {
    const host = new Host();
    host.ask('a', acquire('a'), 100);
    host.ask('b', acquire('b'), 200);
    host.said();
    host.now = 150; // the loop stood still
    host.promised([0, 1], B1);
    expect(host.told()).toEqual(['a no quorum without 2']);
    expect(host.contents()[0]).toMatchObject({ holders: [{ lockId: 'b' }] });
  });

  test('a read that nobody answers', () => {
    const host = new Host();
    host.ask('one', READ, 100);
    host.reported([0], 1, {});
    host.wait(100);
    expect(host.told()).toEqual(['one no quorum without 12']);
  });
});

describe('expiry (T3)', () => {
  const lease = (id: string) => [['a' as LockId, id as LeaseId]] as const;
  /** Leads with a state in which alice holds, adopted but not sent; the ages are asked for. */
  const looking = () => {
    const host = new Host();
    host.proposer.checkExpiry(host);
    host.promised([0, 1], B1, ballot(1, 'p0'), 3, heldByAlice());
    host.said();
    return host;
  };

  test('a majority overdue at the present ballot: it is written, and only then', () => {
    const host = looking();
    host.reported([1], 1, { promised: B1, overdue: lease('old') });
    expect(host.said()).toEqual([]);
    host.reported([2], 1, { promised: B1, overdue: lease('old') });
    expect(host.said()).toEqual(['accept 1 v4 #1 state -> 012']);
    host.accepted([0, 1], B1, 1);
    expect([host.told(), host.proposer.idle]).toEqual([['expiry expired, 2 votes'], true]);
  });

  test.each([
    ['at another ballot', { promised: ABOVE, overdue: lease('old') }],
    ['of an older lease', { promised: B1, overdue: lease('older') }],
    ['of no lease', { promised: B1, overdue: [], dueMs: 70 }],
  ])('reports %s do not count', (_, report) => {
    const host = looking();
    host.reported([0], 1, { promised: B1, overdue: lease('old') });
    host.reported([1, 2], 1, report);
    host.wait(2_000);
    expect(host.contents().every((content) => 'holders' in content && content.holders.length === 1)).toBe(
      true,
    );
    expect(host.told()).toEqual([]);
  });

  test('reports count once each, and only for the question that is open', () => {
    const host = looking();
    host.reported([1, 1, 1], 1, { promised: B1, overdue: lease('old') });
    host.wait(250); // touches the state and asks anew
    expect(host.said()).toEqual(['accept 1 v4 #1 state -> 012', 'ask 2 -> 012']);
    host.reported([2], 1, { promised: B1, overdue: lease('old') });
    host.reported([2], 2, { promised: B1, overdue: lease('old') });
    expect(host.said()).toEqual([]);
    host.reported([0], 2, { promised: B1, overdue: lease('old') });
    expect(host.said()).toEqual(['accept 1 v5 #2 events -> 012']);
  });

  test('nobody overdue: the state is sent, so that it ages, and looked at when a majority may see it end', () => {
    const host = looking();
    host.reported([0], 1, { promised: B1, overdue: [], dueMs: 300 });
    host.reported([1], 1, { promised: B1, overdue: [], dueMs: 900 });
    host.reported([2], 1, { promised: B1, overdue: [], dueMs: 700 });
    expect(host.said()).toEqual(['accept 1 v4 #1 state -> 012']);
    expect([host.looks, host.proposer.idle]).toEqual([[700], true]);
  });

  test('an extension goes before the expiry in one stamp, and wins', () => {
    const host = looking();
    for (let i = 0; i < 8; i++) host.ask(`x${i}`, acquire('x'));
    host.said();
    host.reported([1, 2], 1, { promised: B1, overdue: lease('old') });
    host.ask('extension', { kind: 'extend', lockId: 'a' as LockId, leaseMs: 1_000, replaces: null });
    expect(host.said()).toEqual([]);
    host.accepted([0, 1], B1, 8);
    expect(host.contents()[0]).toEqual([
      { kind: 'extended', lockId: 'a', leaseMs: 1_000, leaseId: '1.p1.1.5' },
    ]);
    host.told();
    host.accepted([0, 1], B1, 9);
    expect(host.told()).toEqual(['extension extended, 2 votes', 'expiry not_found, 2 votes']);
  });

  test('dropped with its ballot: the next one must hear the ages anew', () => {
    const host = looking();
    host.reported([1, 2], 1, { promised: B1, overdue: lease('old') });
    host.said();
    host.nacked([1, 2], B1, ABOVE);
    host.wait(60_000);
    expect([host.said(), host.told(), host.proposer.idle]).toEqual([[], [], true]);
  });

  test('released while the ages are told: nothing is left to expire', () => {
    const host = looking();
    host.ask('release', release('a'));
    host.reported([1, 2], 1, { promised: B1, overdue: lease('old') });
    host.accepted([0, 1], B1, 1);
    expect(host.told()).toEqual(['release released, 2 votes']);
    expect(host.proposer.idle).toBe(true);
  });
});
