/** The phases of proposer.ts up to a ballot, row by row: idle, asking, preparing. */
import { describe, expect, test } from 'vitest';
import { endOfRound } from '../../../src/vote/ballot.ts';
import { acquire, ballot, Host, heldByAlice, READ } from './host.ts';

const B1 = ballot(1);
const RIVAL = ballot(1, 'p2');

describe('idle', () => {
  test('commands, all of them reads: ask all voters (V7)', () => {
    const host = new Host();
    host.ask('one', READ);
    expect(host.said()).toEqual(['ask 1 -> 012']);
    expect(host.proposer.phase).toBe('asking');
  });

  test.each([
    ['nothing seen', 0, 0, 1],
    ['what its own voter promised', 7, 0, 8],
    ['a horizon that it was told of', 3, 9, 10],
  ])('a change: prepare above %s', (_, promised, floor, round) => {
    const host = new Host();
    host.own.promised = ballot(promised, 'p3');
    host.roundFloor = floor;
    host.ask('a', acquire('a'));
    expect(host.said()).toEqual([`prepare ${round} -> 012`]);
    expect(host.proposer.phase).toBe('preparing');
    expect(host.proposer.idle).toBe(false);
  });

  test('an expiry that is due: prepare', () => {
    const host = new Host();
    host.proposer.checkExpiry(host);
    host.proposer.checkExpiry(host);
    expect(host.said()).toEqual(['prepare 1 -> 012']);
  });
});

describe('asking', () => {
  const stamp = { ballot: ballot(3), version: 2 };
  const reading = () => {
    const host = new Host();
    Object.assign(host.own, { ballot: ballot(3), version: 2, state: heldByAlice() });
    host.ask('one', READ);
    host.ask('two', READ);
    host.said();
    return host;
  };

  test('one flushed stamp from a majority settles the reads that were there; the next ones ask anew', () => {
    const host = reading();
    host.reported([0], 1, { accepted: stamp });
    expect(host.told()).toEqual([]);
    host.reported([2], 1, { accepted: stamp });
    expect(host.told()).toEqual(['one state, 2 votes']);
    expect(host.said()).toEqual(['ask 2 -> 012']);
    host.reported([0, 1, 2], 1, { accepted: stamp });
    expect(host.told()).toEqual([]);
    host.reported([1, 2], 2, { accepted: stamp });
    expect(host.told()).toEqual(['two state, 2 votes']);
    expect(host.proposer.phase).toBe('idle');
    expect(host.proposer.idle).toBe(true);
  });

  test.each([
    ['an older stamp', { accepted: { ballot: ballot(3), version: 1 } }],
    ['a newer stamp', { accepted: { ballot: ballot(4), version: 1 } }],
    ['the stamp, not flushed', { accepted: stamp, flushed: false }],
  ])('%s agrees with nobody; two such and a change is run that changes nothing', (_, report) => {
    const host = reading();
    host.reported([0], 1, { accepted: stamp });
    host.reported([1], 1, report);
    expect(host.said()).toEqual([]);
    host.reported([1, 1], 1, report);
    expect(host.said()).toEqual([]);
    host.reported([2], 1, report);
    expect(host.said()).toEqual(['prepare 1 -> 012']);
    host.promised([0, 1], B1, stamp.ballot, stamp.version, heldByAlice());
    expect(host.said()).toEqual(['accept 1 v3 #1 state -> 012']);
    host.accepted([0, 1], B1, 1);
    expect(host.told()).toEqual(['one state, 2 votes', 'two state, 2 votes']);
  });

  test('a change comes: the reads go into its vote', () => {
    const host = reading();
    host.ask('b', acquire('b'));
    expect(host.said()).toEqual(['prepare 1 -> 012']);
    host.reported([0, 1, 2], 1, { accepted: stamp });
    expect(host.told()).toEqual([]);
  });

  test('silence: after a while, prepare', () => {
    const host = reading();
    host.wait(249);
    expect(host.said()).toEqual([]);
    host.wait(1);
    expect(host.said()).toEqual(['prepare 1 -> 012']);
  });
});

describe('preparing', () => {
  test('promises of a majority: adopts the newest state, whoever tells it, and sends it whole', () => {
    const host = new Host(5);
    host.ask('b', acquire('b'));
    host.said();
    host.promised([0], B1, ballot(1, 'p0'), 9);
    host.promised([3], B1, ballot(1, 'p0', 2), 4, heldByAlice());
    expect(host.said()).toEqual([]);
    host.promised([2], B1, ballot(1, 'p0', 2), 3);
    expect(host.said()).toEqual(['accept 1 v5 #1 state -> 01234']);
    host.accepted([1, 3, 4], B1, 1);
    expect(host.told()).toEqual(['b busy, 3 votes']);
  });

  test('duplicates, foreign ballots and other promises make no majority', () => {
    const host = new Host();
    host.ask('a', acquire('a'));
    host.said();
    host.promised([1, 1, 1], B1);
    host.promised([0, 2], ballot(1, 'p1', 2));
    host.promised([0, 2], ballot(2));
    host.nacked([0, 2], B1, B1);
    host.nacked([0, 2], B1, ballot(1, 'p0'));
    host.nacked([0, 2], RIVAL, ballot(2));
    expect([host.said(), host.told(), host.proposer.phase]).toEqual([[], [], 'preparing']);
  });

  test('majority impossible: pauses after a duel, then prepares above the rival', () => {
    const host = new Host();
    host.ask('a', acquire('a'));
    host.said();
    host.nacked([1], B1, ballot(4, 'p2'));
    expect(host.proposer.phase).toBe('preparing');
    host.nacked([2], B1, ballot(3, 'p2'));
    expect(host.proposer.phase).toBe('idle');
    expect(host.proposer.wakeAt).toBe(20); // half of 10 ms doubled twice
    host.wait(20);
    expect(host.said()).toEqual(['prepare 5 -> 012']);
  });

  test('horizons of restarts are no duel: prepares beyond them at once', () => {
    const host = new Host();
    host.ask('a', acquire('a'));
    host.said();
    host.nacked([1, 2], B1, endOfRound(10_000));
    expect(host.said()).toEqual(['prepare 10001 -> 012']);
    expect(host.roundFloor).toBe(10_000);
  });

  test('too late: again in a new round; promises of the first round count no more', () => {
    const host = new Host();
    host.ask('a', acquire('a'));
    host.promised([0], B1);
    host.said();
    host.wait(250);
    expect(host.said()).toEqual(['prepare 2 -> 012']);
    host.promised([1], B1);
    host.promised([2], ballot(2));
    expect(host.proposer.phase).toBe('preparing');
    host.promised([1], ballot(2));
    expect(host.proposer.phase).toBe('leading');
  });

  test('too late for an expiry alone: leaves it to the next look', () => {
    const host = new Host();
    host.proposer.checkExpiry(host);
    host.said();
    host.wait(10_000);
    expect([host.said(), host.looks, host.proposer.idle]).toEqual([[], [1_000], true]);
  });
});
