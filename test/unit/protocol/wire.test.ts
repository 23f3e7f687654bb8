import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnknownKindError, WireError } from '../../../src/lock/plain.ts';
import type { FencingToken, LockId, SessionId } from '../../../src/lock/state.ts';
import { CLOSE } from '../../../src/protocol/limits.ts';
import type { ClientMessage, PeerMessage } from '../../../src/protocol/messages.ts';
import {
  clientMessageFromWire,
  clientMessageToWire,
  peerMessageFromWire,
  peerMessageToWire,
} from '../../../src/protocol/wire.ts';
import { lockId, priority, scope, sessionId } from '../arbitraries.ts';
import { roundTrip } from '../wire-properties.ts';

const PAGE = readFileSync(new URL('../../../src/protocol/PROTOCOL.md', import.meta.url), 'utf8');

const natural = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat());
const millis = fc.oneof(fc.nat(), fc.constantFrom(0, 0.5, 29_999.999, 31_536_000_000));
const token = natural as fc.Arbitrary<FencingToken>;
/** Or nothing; with a type of its own, as the compiler does not find it inside a record. */
const perhaps = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values);
const maybeLockId = perhaps(lockId);
const maybeSession = perhaps(sessionId);
const maybeMillis = perhaps(millis);
const maybeToken = perhaps(token);
const words = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength }).filter(fits(maxLength));
const holder = fc.option(words(30));
const mode = fc.constantFrom('write' as const, 'read' as const, 'permit' as const);
const maybeMode = perhaps(fc.constantFrom('write' as const, 'read' as const));
const kind = <K extends string>(...kinds: readonly K[]) => fc.constantFrom(...kinds);
const meant = { scope, lockId: maybeLockId, holder };
const body = fc.dictionary(
  fc.stringMatching(/^[a-z_]{1,9}$/).filter((key) => key !== '__proto__'),
  fc.oneof(fc.string(), fc.boolean(), fc.constant(null), natural, fc.array(fc.nat(), { maxLength: 3 })),
);

/** Graphemes have one unit or several. */
function fits(units: number): (text: string) => boolean {
  return (text) => text.length <= units;
}

const CLIENT: { readonly [K in ClientMessage['kind']]: fc.Arbitrary<ClientMessage> } = {
  hello: fc.record({ kind: kind('hello'), version: natural, agent: words(20) }),
  gone: fc.record({ kind: kind('gone'), id: natural }),
  acquire: fc.record({
    kind: kind('acquire'),
    id: natural,
    scope,
    lockId,
    holder,
    mode,
    permits: fc.nat(1_024),
    priority,
    reason: holder,
    session: maybeSession,
    leaseMs: maybeMillis,
    waitMs: millis,
    repeat: natural,
  }),
  release: fc.record({ kind: kind('release'), id: natural, ...meant, force: holder }),
  extend: fc.record({
    kind: kind('extend'),
    id: natural,
    ...meant,
    leaseMs: maybeMillis,
    mode: maybeMode,
    token: maybeToken,
    waitMs: millis,
  }),
  cancel: fc.record({ kind: kind('cancel'), id: natural, ...meant }),
  status: fc.record({ kind: kind('status'), id: natural, scope }),
  watch: fc.record({ kind: kind('watch'), id: natural, scope }),
  open: fc.record({
    kind: kind('open'),
    id: natural,
    ttlMs: millis,
    holder: words(30).filter((text) => text !== ''),
  }),
  beat: fc.record({ kind: kind('beat'), id: natural, session: sessionId, list: fc.boolean() }),
  close: fc.record({ kind: kind('close'), id: natural, session: sessionId, list: fc.boolean() }),
};

const told = (one: 'status' | 'event' | 'refused') => fc.record({ kind: kind(one), id: natural, body });
const PEER: { readonly [K in PeerMessage['kind']]: fc.Arbitrary<PeerMessage> } = {
  welcome: fc.record({
    kind: kind('welcome'),
    version: natural,
    name: words(20).filter((text) => text !== ''),
    epoch: natural,
    mesh: fc.string({ maxLength: 64 }),
    peers: fc.array(
      fc.record({
        name: words(20).filter((text) => text !== ''),
        address: words(40),
        role: kind('voter', 'observer'),
        state: kind('alive', 'suspect', 'dead'),
      }),
      { maxLength: 4 },
    ),
  }),
  locked: fc.record({
    kind: kind('locked'),
    id: natural,
    token,
    leaseMs: millis,
    leftMs: fc.oneof(fc.constant(-1), millis),
    at: millis,
    sets: fc.boolean(),
    waitedMs: millis,
    votes: natural,
    voters: natural,
    waiters: natural,
    slot: natural,
    mode,
    lockId: maybeLockId,
    holder,
  }),
  unlocked: fc.record({
    kind: kind('unlocked'),
    id: natural,
    token,
    votes: natural,
    voters: natural,
    lockId: maybeLockId,
  }),
  cancelled: fc.record({ kind: kind('cancelled'), id: natural, votes: natural, voters: natural }),
  status: told('status'),
  event: told('event'),
  refused: told('refused'),
  session: fc.record({
    kind: kind('session'),
    id: natural,
    session: sessionId,
    ttlMs: millis,
    locks: fc.array(fc.record({ scope, lockId, token }), { maxLength: 4 }),
  }),
  drain: fc.constant({ kind: 'drain' }),
};

for (const [name, values] of Object.entries(CLIENT)) {
  roundTrip(`client's ${name}`, values, clientMessageToWire, clientMessageFromWire);
}
for (const [name, values] of Object.entries(PEER)) {
  roundTrip(`peer's ${name}`, values, peerMessageToWire, peerMessageFromWire);
}

test('kinds keep their numbers for ever', () => {
  const clients = 'hello gone acquire release extend cancel status watch open beat close';
  const peers = 'welcome locked unlocked cancelled status event refused session drain';
  for (const [number, name] of clients.split(' ').entries()) {
    expect(clientMessageToWire(first(CLIENT[name as ClientMessage['kind']]))[0]).toBe(number);
  }
  for (const [number, name] of peers.split(' ').entries()) {
    expect(peerMessageToWire(first(PEER[name as PeerMessage['kind']]))[0]).toBe(number);
  }
});

/** The rows `| number | name | fields |` of the page that a programmer of another client reads. */
const rows = [...PAGE.matchAll(/^\| (\d+) \| `(\w+)` \| (.*?) ?\|$/gm)].map(([, number, name, fields]) => ({
  number: Number(number),
  name: name!,
  // What stands behind a colon or in brackets tells of the field before it.
  fields: fields === '' ? 0 : fields!.replace(/\(.*?\)|: arrays of [^|]*/g, '').split(', ').length,
}));
const first = <T>(values: fc.Arbitrary<T>) => fc.sample(values, 1)[0]!;

test.each(Object.keys(CLIENT) as ClientMessage['kind'][])('the page tells of a client’s %s', (name) => {
  const wire = clientMessageToWire(first(CLIENT[name]));
  const fields = name === 'close' ? wire.length - 2 : wire.length - 1; // it has no use for `list`
  expect(rows).toContainEqual({ number: wire[0], name, fields });
});

test.each(Object.keys(PEER) as PeerMessage['kind'][])('the page tells of a peer’s %s', (name) => {
  const wire = peerMessageToWire(first(PEER[name]));
  expect(rows).toContainEqual({ number: wire[0], name, fields: wire.length - 1 });
});

test('the page tells of every way in which a peer closes', () => {
  for (const code of Object.values(CLOSE)) expect(PAGE).toContain(`\n| ${code} | `);
});

test('a kind of tomorrow is told apart from garbage', () => {
  expect(() => clientMessageFromWire([63, 1])).toThrow(UnknownKindError);
  expect(() => peerMessageFromWire([63])).toThrow(UnknownKindError);
  expect(() => clientMessageFromWire([6, 1])).not.toThrow(UnknownKindError);
});

const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11' as LockId;

test('what is missing at the end is null, where null is allowed', () => {
  expect(clientMessageFromWire([3, 1, 'a', ID])).toEqual({
    kind: 'release',
    id: 1,
    scope: 'a',
    lockId: ID,
    holder: null,
    force: null,
  });
  expect(clientMessageFromWire([4, 1, 'a', null, 'me', 5])).toMatchObject({
    mode: null,
    token: null,
    waitMs: 0,
  });
  expect(clientMessageFromWire([9, 1, ID])).toMatchObject({ kind: 'beat', list: false });
});

describe('what is refused names its field', () => {
  const acquire = [2, 1, 'a', ID, null, 0, 0, 1, null, null, -1, 0, 0];
  const but = (at: number, value: unknown) => acquire.map((field, i) => (i === at ? value : field));

  test('that one is taken', () => {
    expect(clientMessageFromWire(acquire)).toMatchObject({ kind: 'acquire', leaseMs: null });
  });

  test.each([
    [1, -1, 'id'],
    [1, 1.5, 'id'],
    [1, '1', 'id'],
    [2, null, 'scope'],
    [2, 'x'.repeat(513), 'scope'],
    [3, null, 'lock_id'],
    [3, '', 'lock_id'],
    [4, 'x'.repeat(257), 'holder'],
    [5, 3, 'lock_type'],
    [5, 'write', 'lock_type'],
    [6, 1_025, 'permits'],
    [7, 3, 'priority'],
    [8, 'x'.repeat(1_025), 'reason'],
    [9, '', 'session'],
    [10, null, 'timeout'],
    [10, -2, 'timeout'],
    [11, -1, 'wait'],
    [11, Number.NaN, 'wait'],
    [11, Number.POSITIVE_INFINITY, 'wait'],
    [12, -1, 'repeat'],
    [12, 2 ** 53, 'repeat'],
  ])('acquire, place %i: %j', (at, value, field) => {
    expect(() => clientMessageFromWire(but(at, value))).toThrow(WireError);
    expect(() => clientMessageFromWire(but(at, value))).toThrow(new RegExp(`^${field}: `));
  });

  test('a lock converts to no permit', () => {
    expect(() => clientMessageFromWire([4, 1, 'a', ID, null, null, 2])).toThrow(/^lock_type: /);
  });

  test.each([
    [[0, 1, 'p1', 1, [['p1', '', 2, 0]]], /^peer: /],
    [[0, 1, 'p1', 1, [['p1', '', 0, 3]]], /^peer: /],
    [[0, 1, '', 1, []], /^name: /],
    [[6, 1, []], /^body: /],
    [[6, 1, null], /^body: /],
    [[7, 1, 's' as SessionId, 1, [['a', ID]]], /^lock: /],
  ])('peer: %j', (wire, why) => {
    expect(() => peerMessageFromWire(wire)).toThrow(why);
  });
});
