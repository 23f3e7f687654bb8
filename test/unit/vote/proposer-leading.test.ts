/**
 * The phases of proposer.ts while it leads, row by row, and what no answer may do: settle twice, settle too early,
 * or settle what it does not know of.
 */
import { describe, expect, test } from 'vitest';
import { EMPTY } from '../../../src/lock/state.ts';
import { PIPELINE_MAX } from '../../../src/vote/limits.ts';
import { acquire, ballot, Host, heldByAlice, READ, release } from './host.ts';

const B1 = ballot(1);
const RIVAL = ballot(1, 'p2');

describe('leading', () => {
  test('all that waits shares one stamp; what comes meanwhile is pipelined, as events', () => {
    const host = new Host();
    host.ask('a', acquire('a'));
    host.ask('b', acquire('b'));
    host.said();
    host.promised([0, 1], B1);
    expect(host.said()).toEqual(['accept 1 v1 #1 state -> 012']);
    host.ask('a', release('a'));
    host.ask('b again', acquire('b'));
    expect(host.said()).toEqual(['accept 1 v2 #2 events -> 012', 'accept 1 v3 #3 events -> 012']);
    expect(host.told()).toEqual([]);
    host.accepted([0, 2], B1, 3);
    expect(host.told()).toEqual([
      'a granted, 2 votes',
      'b busy, 2 votes',
      'a released, 2 votes',
      'b again granted, 2 votes',
    ]);
  });

  test('the content of a stamp is what was decided, for all voters alike', () => {
    const host = new Host();
    host.lead();
    const [first, second, third] = host.contents();
    expect(first).toBe(second);
    expect(second).toBe(third);
    expect(first).toMatchObject({ token: 1, holders: [{ lockId: 'a', leaseId: '1.p1.1.1', token: 1 }] });
    host.ask('a', release('a'));
    expect(host.contents()[0]).toEqual([{ kind: 'ended', lockId: 'a', ending: 'released', note: null }]);
  });

  test('no more than so many sends are under way; what waits shares the next', () => {
    const host = new Host();
    host.lead();
    for (let i = 0; i < PIPELINE_MAX + 4; i++) host.ask(`x${i}`, acquire(`x${i}`));
    host.said();
    host.ask('y', acquire('y'));
    expect(host.said()).toEqual([]);
    host.accepted([0, 1], B1, 1);
    expect(host.told()).toEqual(['a granted, 2 votes']);
    expect(host.said()).toEqual([`accept 1 v1 #${PIPELINE_MAX + 1} probe -> 012`]);
    host.accepted([0, 1], B1, PIPELINE_MAX + 1);
    expect(host.told().length).toBe(PIPELINE_MAX + 5);
  });

  test('what changes nothing is probed, and settled only by answers to a send that left after it came', () => {
    const host = new Host();
    host.lead();
    host.accepted([0, 1], B1, 1);
    host.said();
    host.told();
    host.ask('b', acquire('b'));
    expect(host.said()).toEqual(['accept 1 v1 #2 probe -> 012']);
    host.accepted([2], B1, 1); // late, of the grant
    host.accepted([0, 1, 2], B1, 1);
    expect(host.told()).toEqual([]);
    host.accepted([1], B1, 2);
    expect(host.told()).toEqual([]);
    host.accepted([2], B1, 2);
    expect(host.told()).toEqual(['b busy, 2 votes']);
  });

  test('an answer settles once: duplicates, foreign ballots and numbers never sent change nothing', () => {
    const host = new Host();
    host.lead();
    host.accepted([1, 1, 1], B1, 1);
    host.accepted([2], B1, 2);
    host.accepted([2], ballot(1, 'p1', 2), 1);
    host.accepted([0, 2], RIVAL, 1);
    expect(host.told()).toEqual([]);
    host.accepted([0], B1, 1);
    expect(host.told()).toEqual(['a granted, 2 votes']);
    host.accepted([0, 1, 2], B1, 1);
    host.promised([2], B1, ballot(1, 'p9'), 7, heldByAlice());
    expect(host.told()).toEqual([]);
    expect(host.proposer.idle).toBe(true);
  });

  test('a gap: that voter gets the state', () => {
    const host = new Host();
    host.lead();
    host.ask('a', release('a'));
    host.said();
    host.gap(2, ballot(1, 'p1', 2), 2);
    host.gap(2, RIVAL, 2);
    expect(host.said()).toEqual([]);
    host.gap(2, B1, 2);
    expect(host.said()).toEqual(['accept 1 v2 #2 state -> 2']);
    host.accepted([0, 2], B1, 2);
    expect(host.told()).toEqual(['a granted, 2 votes', 'a released, 2 votes']);
  });

  test('no majority answers: the stamp again, by name, to the silent, ever more rarely', () => {
    const host = new Host();
    host.lead();
    host.accepted([0], B1, 1);
    host.said();
    host.wait(250);
    expect(host.said()).toEqual(['accept 1 v1 #2 probe -> 12']);
    host.wait(499);
    expect(host.said()).toEqual([]);
    host.wait(1);
    expect(host.said()).toEqual(['accept 1 v1 #3 probe -> 012']);
    host.gap(1, B1, 3); // the accept itself was lost
    expect(host.said()).toEqual(['accept 1 v1 #3 state -> 1']);
    host.accepted([2], B1, 2);
    expect(host.told()).toEqual(['a granted, 2 votes']);
    host.wait(60_000);
    expect(host.said()).toEqual([]);
  });

  test('adopted and not used, a ballot that is only read from sends its state first', () => {
    const host = new Host();
    host.ask('one', READ);
    host.said();
    host.reported([0], 1, { flushed: false });
    host.reported([1], 1, { flushed: false });
    host.said();
    host.promised([0, 2], B1, ballot(1, 'p0'), 3, EMPTY);
    expect(host.said()).toEqual(['accept 1 v4 #1 state -> 012']);
    host.accepted([0, 1], B1, 1);
    expect(host.told()).toEqual(['one state, 2 votes']);
  });
});
