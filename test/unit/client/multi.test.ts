/** Several scopes, all or nothing (L11). */
import { describe, expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import {
  BusyError,
  InvalidRequestError,
  LockLostError,
  OutcomeUnknownError,
} from '../../../src/client/errors.ts';
import { acquireAll, inOrder } from '../../../src/client/multi.ts';
import type { MultiOptions, ScopeWish } from '../../../src/client/types.ts';
import { lockWish, multiWish } from '../../../src/client/wishes.ts';
import { atDesk, stateOf } from './desk.ts';
import { settled } from './hand-clock.ts';

type Scene = ReturnType<typeof atDesk>;
const all = ({ core }: Scene, scopes: readonly (string | ScopeWish)[], options: MultiOptions = {}) =>
  acquireAll(core, scopes, multiWish(options));
const scopesOf = ({ desk }: Scene) =>
  desk.all('acquire').map(({ message }) => 'scope' in message && message.scope);

describe('the order', () => {
  test('is that of the bytes, not of the letters; each once, in the stronger mode', () => {
    const scopes = [
      '\u{1f600}',
      '\uff5e',
      'b',
      'B',
      { scope: 'b', lockType: 'read' },
      { scope: 'a', lockType: 'read' },
    ] as const;
    expect(inOrder(scopes).map(({ scope, mode }) => `${scope} ${mode}`)).toEqual([
      'B write',
      'a read',
      'b write',
      '\uff5e write',
      '\u{1f600} write',
    ]);
  });

  test.each([[[]], [['']], [[{ scope: 'a', lockType: 'permit' }]], [[{ scope: 'a', mode: 'read' }]]])(
    'of %j is refused',
    (scopes) => {
      expect(() => inOrder(scopes as never)).toThrow(InvalidRequestError);
    },
  );
});

test('one after the other, under a session of their own, without leases', async () => {
  const at = atDesk();
  at.desk.byHand.add('acquire');
  const taking = all(at, ['c', 'a', { scope: 'b', lockType: 'read' }], { reason: 'all' });
  await settled();
  expect(scopesOf(at)).toEqual(['a']);
  at.desk.decide(at.desk.last('acquire'));
  await settled();
  expect(scopesOf(at)).toEqual(['a', 'b']);
  expect(at.desk.last('acquire').message).toMatchObject({
    mode: 'read',
    leaseMs: 0,
    session: 'session-1',
    reason: 'all',
  });
  at.desk.decide(at.desk.last('acquire'));
  await settled();
  at.desk.decide(at.desk.last('acquire'));
  const multi = await taking;
  expect([...multi.fencingTokens]).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 1],
  ]);
  expect(multi.held).toBe(true);
  multi.assertHeld();
  await multi.release();
  expect(multi.held).toBe(false);
  expect(at.desk.kinds().slice(-4)).toEqual(['release', 'release', 'release', 'close']);
});

test('a refusal closes the session, and is told only after that', async () => {
  const at = atDesk();
  const other = await acquire(at.core, lockWish('b'));
  at.desk.byHand.add('close');
  const taking = all(at, ['a', 'b', 'c']).catch((error) => error);
  await settled();
  expect(at.desk.holders('a')).toHaveLength(1);
  expect(await stateOf(taking)).toBe('open');
  at.desk.decide(at.desk.last('close'));
  const error = await taking;
  expect(error).toBeInstanceOf(BusyError);
  expect(error.scope).toBe('b');
  expect(at.desk.holders('a')).toEqual([]);
  expect(scopesOf(at)).toEqual(['b', 'a', 'b']);
  expect(other.held).toBe(true);
});

test('`wait` is for all of them together', async () => {
  const at = atDesk();
  const b = await acquire(at.core, lockWish('b'));
  const taking = all(at, ['a', 'b', 'c'], { wait: '10s' });
  await at.clock.pass(4_000);
  await b.release();
  const multi = await taking;
  const waits = at.desk
    .all('acquire')
    .slice(1)
    .map(({ message }) => 'waitMs' in message && message.waitMs);
  expect(waits).toEqual([10_000, 10_000, 6_000]);
  expect(multi.held).toBe(true);
});

test('an abort closes the session before it is told', async () => {
  const at = atDesk();
  await acquire(at.core, lockWish('b'));
  const controller = new AbortController();
  const taking = all(at, ['a', 'b'], { wait: '1m', signal: controller.signal }).catch((error) => error);
  await settled();
  controller.abort('enough');
  expect(await taking).toBe('enough');
  expect(at.desk.last('close').message).toMatchObject({ session: 'session-2' });
  expect(at.desk.holders('a')).toEqual([]);
});

test('what is lost while the next is waited for ends it all', async () => {
  const at = atDesk();
  await acquire(at.core, lockWish('b'));
  const taking = all(at, ['a', 'b'], { wait: '1m' }).catch((error) => error);
  await settled();
  at.desk.force('a');
  await at.clock.pass(8_000);
  expect(await taking).toBeInstanceOf(LockLostError);
  expect(at.desk.waiters('b')).toBe(0);
});

test('a session that cannot be closed leaves the outcome open', async () => {
  const at = atDesk();
  await acquire(at.core, lockWish('b'));
  at.desk.byHand.add('close');
  const taking = all(at, ['a', 'b']).catch((error) => error);
  await at.clock.pass(6_000);
  const error = await taking;
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  expect(error.cause.errors[0]).toBeInstanceOf(BusyError);
});

test('one of them is lost: all are', async () => {
  const at = atDesk();
  const multi = await all(at, ['a', 'b']);
  const { signal } = multi;
  at.desk.force('b');
  await at.clock.pass(8_000);
  expect(signal.aborted).toBe(true);
  expect(signal.reason.scope).toBe('b');
  expect(multi.held).toBe(false);
  expect(() => multi.assertHeld()).toThrow(LockLostError);
  await expect(multi.release()).rejects.toBeInstanceOf(LockLostError);
  expect(at.desk.holders('a')).toEqual([]);
  await multi[Symbol.asyncDispose]();
});
