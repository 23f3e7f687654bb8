/**
 * Faults that a review found in the voter, the gateway and the proposer: each with the shortest run that showed it.
 */
import { expect, test } from 'vitest';
import { ballot as b, Host, heldByAlice } from '../vote/host.ts';
import { acquire, BUSY, Gate } from './gate.ts';
import { ballot, free, held, Seat } from './seat.ts';

const B1 = ballot(1);
const read = () => ({
  command: { kind: 'read' } as const,
  deadline: 10_000,
  from: 0,
  request: 1,
  sent: false,
});

test('a report of a question asked before the scope was forgotten is not counted after it', () => {
  const first = 2 ** 45 + 1; // where a seat starts to number its questions
  const seat = new Seat();
  seat.prepare('warm-up', B1);
  seat.flush();
  seat.prepare('s', B1);
  seat.accept('s', B1, 1, free(3));
  seat.flush();
  const report = (ask: number) =>
    ({
      kind: 'report',
      scope: 's',
      ask,
      promised: B1,
      accepted: { ballot: B1, version: 1 },
      flushed: true,
      overdue: [],
      dueMs: -1,
    }) as const;
  seat.voter.submit('s', read());
  // Voters 0 and 1 answer; voter 2 answers too, but that answer is late.
  seat.hear(0, report(first));
  seat.hear(1, report(first));
  expect(seat.settlements()).toEqual(['read state, held by nobody']);
  expect(seat.voter.forgetFree()).toBe(1);
  // Meanwhile voters 1 and 2 have granted the scope to alice under another ballot. A second read:
  seat.voter.submit('s', read());
  seat.hear(0, report(first + 1));
  seat.hear(2, report(first)); // the late answer to the first question
  expect(seat.settlements()).toEqual([]);
});

test('after a stale copy, "no quorum" is still certain', () => {
  const gate = new Gate();
  const id = gate.ask(acquire('a'));
  gate.decide(0, { kind: 'stale' }, { retirements: 200 });
  gate.noQuorum(1);
  gate.noQuorum(2);
  gate.noQuorum(3);
  gate.wait(20_000);
  expect(gate.told(id)).toMatch(/^no_quorum/);
});
test('after a stale copy, busy needs no cancel', () => {
  const gate = new Gate();
  const id = gate.ask(acquire('a'));
  gate.decide(0, { kind: 'stale' }, { retirements: 200 });
  gate.decide(1, BUSY);
  expect(gate.told(id)).toMatch(/^busy/);
});
test('a probe of what is in an earlier batch does not wait for a later one', () => {
  const seat = new Seat();
  seat.prepare('warm-up', B1);
  seat.flush();
  seat.said();
  seat.accept('s', B1, 1, held());
  seat.take();
  seat.accept('t', B1, 1, held());
  seat.accept('s', B1, 1, null, 2);
  seat.land();
  expect(seat.said()).toEqual(['accepted s #1 -> 1', 'accepted s #2 -> 1']);
});

test('an age check ends with its ballot: the rival may have extended', () => {
  const host = new Host();
  Object.assign(host.own, {
    promised: b(1, 'p0'),
    ballot: b(1, 'p0'),
    version: 3,
    state: heldByAlice(),
    noted: [0],
  });
  host.now = 1_010;
  host.proposer.checkExpiry(host);
  host.promised([0, 1], b(2), b(1, 'p0'), 3, heldByAlice());
  host.said();
  // A rival extends: this voter too has accepted its stamp, the lease is young.
  Object.assign(host.own, {
    promised: b(3, 'p2'),
    ballot: b(3, 'p2'),
    version: 4,
    state: heldByAlice('new'),
    noted: [1_011],
  });
  host.nacked([0, 1, 2], b(2), b(3, 'p2'));
  host.wait(100);
  expect(host.said()).toEqual([]);
});

test('a made-up lock id whose client is gone is cancelled when its outcome is unknown', () => {
  const gate = new Gate();
  const id = gate.ask(acquire('a', { made: true, leaseMs: 0 }), 1_000);
  gate.gateway.abandon(gate.now, id);
  gate.wait(1_000); // unknown: a copy may have been granted, for ever (lease none)
  expect(gate.asked().filter((line) => !line.startsWith('acquire'))).not.toEqual([]);
});
