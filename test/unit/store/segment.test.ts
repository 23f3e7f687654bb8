/** A segment gives back its groups; what was torn at its end is left out, what was damaged before that is noticed. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  GROUP_HEAD_BYTES,
  GROUPS_AT,
  type Groups,
  groupsOf,
  HEADS_AT,
  headBytes,
  headOf,
  SALT_BYTES,
  sealGroup,
} from '../../../src/store/segment.ts';

const salt = randomBytes(SALT_BYTES);
const ROOM = 2048;

function groupOf(payload: Uint8Array, position: number, its = salt): Buffer {
  const group = Buffer.concat([Buffer.alloc(GROUP_HEAD_BYTES), payload]);
  sealGroup(group, its, position);
  return group;
}

/** A file with these groups, over what it held before. */
function fileOf(groups: readonly Buffer[], before: Buffer = Buffer.alloc(GROUPS_AT + ROOM)): Buffer {
  const file = Buffer.from(before);
  file.set(Buffer.concat(groups), GROUPS_AT);
  return file;
}

const payloads = fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 8 });
const sealed = (list: readonly Uint8Array[], first = 7) =>
  list.map((payload, i) => groupOf(payload, first + i));
const found = (file: Buffer) => groupsOf(file, salt) as Groups;
const positions = (file: Buffer) => found(file).groups.map(({ position }) => position);

test('what was written comes back, also over groups of the file’s former use', () => {
  fc.assert(
    fc.property(payloads, payloads, (former, list) => {
      const old = fileOf(former.map((payload, i) => groupOf(payload, i, randomBytes(SALT_BYTES))));
      for (const file of [fileOf(sealed(list)), fileOf(sealed(list), old)]) {
        const { groups, end } = found(file);
        expect(groups.map(({ payload }) => new Uint8Array(payload))).toEqual(list);
        expect(groups.map(({ position }) => position)).toEqual(list.map((_, i) => 7 + i));
        expect(end).toBe(GROUPS_AT + Buffer.concat(sealed(list)).length);
      }
    }),
  );
});

test('a last group that was torn anywhere, sectors out of order, is left out', () => {
  fc.assert(
    fc.property(payloads, fc.array(fc.boolean(), { minLength: 100 }), (list, there) => {
      const groups = sealed(list);
      const before = fileOf(groups.slice(0, -1));
      const whole = fileOf(groups);
      const start = found(before).end;
      // A sector is whole or not at all; with sectors of one byte, every way of tearing is among these.
      const torn = Buffer.from(whole);
      for (let at = start; at < start + groups.at(-1)!.length; at++) {
        if (there[at % there.length] !== true) torn[at] = before[at]!;
      }
      const complete = torn.equals(whole);
      expect(positions(torn)).toEqual(positions(complete ? whole : before));
      expect(found(torn).end).toBe(found(complete ? whole : before).end);
    }),
    { numRuns: 500 },
  );
});

test('cut off anywhere, the groups before the cut are left', () => {
  const groups = sealed([Buffer.alloc(30, 1), Buffer.alloc(50, 2), Buffer.alloc(10, 3)]);
  const file = fileOf(groups);
  const ends = groups.map((_, i) => GROUPS_AT + Buffer.concat(groups.slice(0, i + 1)).length);
  for (let length = GROUPS_AT; length <= ends[2]! + 5; length++) {
    const left = ends.filter((end) => end <= length).length;
    expect(positions(file.subarray(0, length))).toEqual([7, 8, 9].slice(0, left));
  }
});

test('one changed bit in any group but the last is damage', () => {
  const groups = sealed([Buffer.alloc(9, 1), Buffer.alloc(5, 2), Buffer.alloc(7, 3)]);
  const file = fileOf(groups);
  const last = GROUPS_AT + groups[0]!.length + groups[1]!.length;
  for (let at = GROUPS_AT; at < last; at++) {
    const changed = Buffer.from(file);
    changed[at]! ^= 1 << (at % 8);
    expect(groupsOf(changed, salt)).toMatch(
      /^the commit at byte \d+ is not what was written, but there is one/,
    );
  }
  for (let at = last; at < last + groups[2]!.length; at++) {
    const changed = Buffer.from(file);
    changed[at]! ^= 1 << (at % 8);
    expect(positions(changed)).toEqual([7, 8]);
  }
});

test('a group that was wiped, with others behind it, is damage', () => {
  const groups = sealed([Buffer.alloc(9, 1), Buffer.alloc(5, 2), Buffer.alloc(7, 3)]);
  for (const wiped of [0, 1]) {
    const list = groups.map((group, i) => (i === wiped ? Buffer.alloc(group.length) : group));
    expect(groupsOf(fileOf(list), salt)).toMatch(/but there is one at byte/);
  }
});

test('groups out of order are damage', () => {
  const [a, b, c] = sealed([Buffer.alloc(9, 1), Buffer.alloc(9, 2), Buffer.alloc(9, 3)]);
  expect(groupsOf(fileOf([a!, c!]), salt)).toMatch(/^commit 9 follows commit 7 at byte/);
  expect(groupsOf(fileOf([b!, a!, c!]), salt)).toMatch(/^commit 7 follows commit 8 at byte/);
});

test('a head comes back from either copy, and from none that was changed', () => {
  const head = { identity: '00112233445566ff', number: 12, salt, shelved: 345 };
  const bytes = headBytes(head);
  const file = Buffer.alloc(GROUPS_AT);
  expect(headOf(file)).toBeUndefined();
  for (const at of HEADS_AT) {
    file.fill(0).set(bytes, at);
    expect(headOf(file)).toEqual(head);
    for (let i = 0; i < bytes.length; i++) {
      file[at + i]! ^= 1 << (i % 8);
      expect(headOf(file)).toBeUndefined();
      file[at + i]! ^= 1 << (i % 8);
    }
    expect(headOf(file.subarray(0, at + bytes.length - 1))).toBeUndefined();
  }
});

test('of two heads, the first one counts: it is written first', () => {
  const file = Buffer.alloc(GROUPS_AT);
  const heads = [14, 12].map((number) => ({ identity: '00112233445566ff', number, salt, shelved: 0 }));
  for (const [i, at] of HEADS_AT.entries()) file.set(headBytes(heads[i]!), at);
  expect(headOf(file)).toEqual(heads[0]);
});
