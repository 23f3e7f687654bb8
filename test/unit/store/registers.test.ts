/** A register comes back from its bytes; a damaged one is never taken for a register. */
import { describe, expect, test } from 'vitest';
import { EMPTY, type FencingToken, type Grant, type LeaseId, type LockId } from '../../../src/lock/state.ts';
import { registerCodec } from '../../../src/store/registers.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';

const grant: Grant = {
  lockId: 'c0ffee00-0000-7000-8000-000000000001' as LockId,
  holder: 'p1-7f3a',
  named: true,
  mode: 'write',
  token: 7 as FencingToken,
  leaseMs: 30_000,
  leaseId: '12.aabbccddeeff0011.1048577.3' as LeaseId,
  at: 1_700_000_000_000,
};
const ballot = { round: 12, peer: 'aabbccddeeff0011', boot: 2 ** 20 + 1 };
const free: StoredRegister = { ballot, version: 3, state: EMPTY };
const held: StoredRegister = {
  ballot,
  version: 4,
  state: { ...EMPTY, token: grant.token, holders: [grant] },
};

describe('the codec of registers', () => {
  test.each([
    ['free', free],
    ['held', held],
  ])('a %s register comes back', (_, register) => {
    expect(registerCodec.decode(registerCodec.encode(register))).toEqual(register);
  });

  test('a register is held while it has a holder', () => {
    expect([registerCodec.held(free), registerCodec.held(held)]).toEqual([false, true]);
  });

  test('one register’s bytes survive the encoding of the next', () => {
    const first = registerCodec.encode(held);
    registerCodec.encode(free);
    expect(registerCodec.decode(first)).toEqual(held);
  });

  test('other bytes are refused', () => {
    const bytes = registerCodec.encode(held);
    expect(() => registerCodec.decode(bytes.subarray(0, bytes.length - 1))).toThrow();
    expect(() => registerCodec.decode(Buffer.from([0x93, 1, 2, 3]))).toThrow();
  });
});
