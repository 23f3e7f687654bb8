/** Who watches is told what is chosen: once a majority has it, and no sooner; at once if it has it already. */
import { describe, expect, test } from 'vitest';
import { EMPTY } from '../../../src/lock/state.ts';
import { RESEND_MS } from '../../../src/vote/limits.ts';
import { acquire, ballot, Host, READ, release } from './host.ts';

const B1 = ballot(1);

/** Leads, and the first change has left. */
function leading(voters = 3): Host {
  const host = new Host(voters);
  host.ask('a', acquire('a'));
  host.promised([0, 1, 2], B1);
  host.said();
  return host;
}

/** What was said to watchers since the last call. */
function told(host: Host): string[] {
  return host.said().filter((line) => line.startsWith('chosen'));
}

describe('a voter that watches', () => {
  test('is told once a majority has the change, and not before', () => {
    const host = leading(5);
    host.acceptedWatching([0, 3], B1, 1);
    expect(told(host)).toEqual([]);
    host.accepted([4], B1, 1);
    expect(told(host)).toEqual(['chosen 1 v1 -> 03']);
  });

  test('that answers late is told at once', () => {
    const host = leading();
    host.accepted([0, 1], B1, 1);
    expect(told(host)).toEqual([]);
    host.acceptedWatching([2], B1, 1);
    expect(told(host)).toEqual(['chosen 1 v1 -> 2']);
  });

  test('is told of several changes at once, by the newest of them', () => {
    const host = leading();
    host.ask('a', release('a'));
    host.ask('b', acquire('b'));
    host.said();
    host.acceptedWatching([1], B1, 3);
    host.accepted([0], B1, 2);
    expect(told(host)).toEqual(['chosen 1 v2 -> 1']);
    host.accepted([0], B1, 3);
    expect(told(host)).toEqual(['chosen 1 v3 -> 1']);
  });

  test('is told no more than is chosen while later changes are under way', () => {
    const host = leading();
    host.acceptedWatching([1], B1, 1);
    host.ask('a', release('a'));
    host.accepted([0], B1, 1);
    expect(told(host)).toEqual(['chosen 1 v1 -> 1']);
  });

  test('is not told any more once it has said that nobody watches', () => {
    const host = leading();
    host.acceptedWatching([0, 1], B1, 1);
    expect(told(host)).toEqual(['chosen 1 v1 -> 01']);
    host.ask('a', release('a'));
    host.accepted([0], B1, 2);
    host.acceptedWatching([1], B1, 2);
    expect(told(host)).toEqual(['chosen 1 v2 -> 1']);
  });

  test('is told once more what it was told, when it is asked once more', () => {
    const host = leading();
    host.acceptedWatching([0, 1], B1, 1);
    host.said();
    host.ask('status', READ);
    host.acceptedWatching([0, 1], B1, 2);
    expect(told(host)).toEqual(['chosen 1 v1 -> 01']);
  });

  test('an answer that comes twice is none', () => {
    const host = leading();
    host.acceptedWatching([0, 1], B1, 1);
    host.said();
    host.acceptedWatching([1], B1, 1);
    expect(told(host)).toEqual([]);
  });

  test('what was sent again is told by its version, not by its number', () => {
    const host = leading(5);
    host.acceptedWatching([1], B1, 1);
    host.wait(RESEND_MS + 1);
    expect(host.said()).toEqual(['accept 1 v1 #2 probe -> 0234']);
    host.accepted([0, 2], B1, 2);
    expect(told(host)).toEqual(['chosen 1 v1 -> 1']);
  });

  test('a state that was sent so that its leases are noted is told too', () => {
    const host = new Host();
    host.proposer.checkExpiry(host);
    host.promised([0, 1], B1, ballot(1, 'p0'), 3, EMPTY);
    host.said();
    // Nothing is held, so the check is over at once; the state that it led with goes out all the same.
    host.reported([0, 1], 1, { promised: B1 });
    expect(host.said()).toEqual(['accept 1 v4 #1 state -> 012']);
    host.acceptedWatching([0, 2], B1, 1);
    expect(told(host)).toEqual(['chosen 1 v4 -> 02']);
  });
});
