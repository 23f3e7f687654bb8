/** Names and ids that are never made twice. */
import { expect, test } from 'vitest';
import { holderMaker, makeLockId } from '../../../src/api/ids.ts';
import { holderOf, lockIdOf, nameOf, ownName } from '../../../src/client/options.ts';

test('lock ids are UUIDs of version 7, each another', () => {
  const ids = Array.from({ length: 1_000 }, makeLockId);
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) {
    expect(lockIdOf(id)).toBe(id);
    expect(id[14]).toBe('7');
  }
});

test('two makers with the same prefix make no name in common', () => {
  const [a, b] = [holderMaker('me'), holderMaker('me')];
  const names = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? a() : b()));
  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^me-[0-9a-f]{10}-[0-9a-z]+$/);
});

test('the longest prefix leaves a name that is one', () => {
  const prefix = nameOf('x'.repeat(200), 'holder', 200);
  const make = holderMaker(prefix);
  expect(holderOf(make())).toContain(prefix);
  expect(ownName()).toMatch(new RegExp(`^[\\w.-]+-${process.pid}$`));
});
