/** What goes to disk together, and which answers wait for it; what a voter makes of it stands in voter-writes. */
import { expect, test } from 'vitest';
import { Writes } from '../../../src/peer/writes.ts';
import type { VoteMessage } from '../../../src/vote/messages.ts';
import { ballot, seated } from './seat.ts';

const answer = (seq: number): VoteMessage => ({ kind: 'accepted', scope: 's', ballot: ballot(1), seq });

test('an answer waits for the batch that covers it, and leaves in its order', () => {
  const writes = new Writes();
  const register = seated().voter.register('s');
  const sent: string[] = [];
  const send = (to: number, message: VoteMessage) =>
    sent.push(`${'seq' in message ? message.seq : ''} -> ${to}`);
  register.write = writes.open;
  writes.hold(register, 1, answer(1));
  writes.hold(register, 2, answer(2));
  const first = writes.take(0);
  expect([first.number, writes.open, writes.has(register)]).toEqual([1, 2, false]);
  register.write = writes.open;
  writes.hold(register, 1, answer(3));
  writes.landed(first.number, send);
  expect([sent, writes.has(register)]).toEqual([['1 -> 1', '2 -> 2'], false]);
  writes.landed(writes.take(0).number, send);
  expect([sent, writes.has(register)]).toEqual([['1 -> 1', '2 -> 2', '3 -> 1'], true]);
});
