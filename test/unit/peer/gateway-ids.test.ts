/**
 * Lock ids at the gateway: found by scope or holder name (L6), made for a client that gave none; and how requests
 * and scopes keep apart.
 */
import { describe, expect, test } from 'vitest';
import { SEEN_SCOPES_MAX } from '../../../src/peer/limits.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';
import {
  acquire,
  BUSY,
  CANCELLED,
  extend,
  Gate,
  grant,
  granted,
  RELEASED,
  release,
  STATE,
  STATUS,
} from './gate.ts';

describe('resolve (L6): between peers every command names a lock id', () => {
  const bobs = { holders: [grant('b', 'bob')] };
  const nobodys = { holders: [grant('n', 'made-up', false)] };

  test.each([
    ['by holder name', release(null, 'bob'), bobs, 'release b -> 0'],
    ['by scope, what was acquired without a name', release(null), nobodys, 'release n -> 0'],
    ['an extension by holder name', extend(null, 'bob'), bobs, 'extend b -> 0'],
  ])('%s', (_, request, view, command) => {
    const gate = new Gate();
    const id = gate.ask(request);
    expect(gate.asked()).toEqual(['read -> 0']);
    gate.decide(0, STATE, view);
    expect([gate.asked(), gate.told(id)]).toEqual([[command], undefined]);
    gate.decide(0, STATE, { holders: [] }); // the read again: its stage is over
    gate.decide(1, RELEASED);
    expect(gate.told(id)).toBe(`released ${command.split(' ')[1]} 2/3`);
  });

  test.each([
    ['another name', release(null, 'alice'), bobs, 'not holder: bob'],
    ['no name, and the lock has one', release(null), bobs, 'not holder: bob'],
    ['nobody holds', release(null, 'alice'), { holders: [] }, 'not_found  2/3'],
    ['nobody holds, no name', extend(null), { holders: [] }, 'not_found  2/3'],
  ])('refused: %s', (_, request, view, answer) => {
    const gate = new Gate();
    const id = gate.ask(request);
    gate.decide(0, STATE, view);
    expect([gate.asked(), gate.told(id)]).toEqual([['read -> 0'], answer]);
  });
});

describe('lock ids that the gateway made', () => {
  test('the first grant that it hears of is its own, whichever copy brought it', () => {
    const gate = new Gate();
    const ids = [gate.ask(acquire('a', { made: true })), gate.ask(acquire('b'))];
    gate.decide(0, granted('a', true));
    gate.decide(1, granted('b', true));
    expect(ids.map((id) => gate.told(id))).toEqual(['granted a 2/3', 'granted again b 2/3']);
  });

  test.each([
    ['granted, made', { made: true }, granted('a'), ['cancel a -> 0']],
    ['granted, not made: the client may repeat', { made: false }, granted('a'), []],
    ['refused, made: nothing of it must stay', { made: true }, BUSY, ['cancel a -> 0']],
  ])('the client is gone: %s', (_, more, outcome, undone) => {
    const gate = new Gate();
    const id = gate.ask(acquire('a', more));
    gate.asked();
    gate.gateway.abandon(gate.now, id);
    gate.decide(0, outcome);
    expect([gate.asked(), gate.told(id), gate.gateway.size]).toEqual([undone, undefined, 0]);
    if (undone.length > 0) gate.decide(1, CANCELLED);
    gate.wait(60_000);
    expect([gate.asked(), gate.told(id), gate.gateway.size]).toEqual([[], undefined, 0]);
  });

  test('the client is gone: its grant goes back through a peer that lives; unknown numbers are no matter', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a', { made: true }));
    gate.gateway.abandon(gate.now, id);
    gate.gateway.abandon(gate.now, 99);
    gate.dead.add(0);
    gate.asked();
    gate.decide(0, granted('a'));
    expect(gate.asked()).toEqual(['cancel a -> 1']);
    gate.decide(1, granted('a'));
    expect(gate.asked()).toEqual(['release a -> 1']);
    gate.wait(400);
    expect(gate.asked()).toEqual(['release a -> 2']);
    gate.decide(2, RELEASED);
    gate.wait(60_000);
    expect([gate.asked(), gate.told(id), gate.gateway.size]).toEqual([[], undefined, 0]);
  });

  test('the client is gone and may ask elsewhere: no further copy leaves', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'));
    gate.asked();
    gate.gateway.abandon(gate.now, id);
    gate.wait(10_000);
    expect([gate.asked(), gate.told(id), gate.gateway.size]).toEqual([[], undefined, 0]);
  });
});

test('requests do not meet: each has its own copies, timers and answer', () => {
  const gate = new Gate();
  const ids = [gate.ask(acquire('a'), 500), gate.ask(STATUS, 2_000)];
  gate.wait(100);
  ids.push(gate.ask(release('c'), 2_000));
  gate.wait(400);
  expect(gate.asked()).toEqual([
    'acquire a -> 0',
    'read -> 0',
    'release c -> 0',
    'acquire a -> 1',
    'read -> 1',
    'release c -> 1',
  ]);
  gate.decide(5, RELEASED);
  expect(ids.map((id) => gate.told(id))).toEqual(['unknown without anybody', undefined, 'released c 2/3']);
});

test('the memory of counts has a bound: beyond it, the oldest is asked anew', () => {
  const gate = new Gate();
  const ask = (scope: string) => gate.ask({ ...acquire('a'), scope } as ClientRequest);
  for (let i = 0; i <= SEEN_SCOPES_MAX; i++) gate.decide(ask(`scope-${i}`) - 1, BUSY, { retirements: 70 });
  for (const scope of ['scope-0', 'scope-1', `scope-${SEEN_SCOPES_MAX}`]) ask(scope);
  const seen = [1, 2, 3].map((i) => gate.copy(SEEN_SCOPES_MAX + i).command);
  expect(seen).toMatchObject([{ seen: 0 }, { seen: 70 }, { seen: 70 }]);
});
