/** What happens to a scope in the words of the API: by a real core, and by news that a core gives seldom. */
import { describe, expect, test } from 'vitest';
import { type EventBody, eventBody } from '../../../src/api/answers-events.ts';
import { endOf, notWatchable, watchScope } from '../../../src/api/events.ts';
import type { Grant, Waiter } from '../../../src/lock/state.ts';
import type { Fact, News } from '../../../src/peer/told.ts';
import { held, id, unclaimed, waiter } from '../lock/scene.ts';
import { house, mesh, SoloPeer } from './harness.ts';
import { decided, doorOf, ScriptedPeer } from './scripted.ts';

const SCOPE = 'db-migration';
const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';
const OTHER = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a12';

/** Polls until it holds. */
async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds(); ) {
    if (Date.now() > end) throw new Error('it never came to that');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function listen(peer: SoloPeer, scope = SCOPE): { readonly bodies: EventBody[]; readonly stop: () => void } {
  const bodies: EventBody[] = [];
  const stop = watchScope({ peer }, scope, (body) => bodies.push(eventBody.parse(body)));
  return { bodies, stop };
}

const short = ({ event, holder, fencing_token: token }: EventBody) =>
  `${event} ${holder ?? ''} ${token ?? ''}`;

describe('a stream', () => {
  test('begins with what is, and tells each change once, in order', async () => {
    const { peer, lock } = await house();
    await lock({ scope: SCOPE, action: 'lock', holder: 'early', lock_id: ID, reason: 'why' });
    const { bodies, stop } = listen(peer);
    expect(bodies).toEqual([]);
    await until(() => bodies.length === 1);
    expect(bodies).toMatchObject([
      { event: 'watching', scope: SCOPE, status: 'locked', fencing_token: 1, holders: 1, waiters: 0 },
    ]);
    const waits = lock({ scope: SCOPE, action: 'lock', holder: 'late', wait: '30s', priority: 'high' });
    await until(() => bodies.length === 2);
    await lock({ scope: SCOPE, action: 'extend', lock_id: ID, timeout: '1h' });
    await lock({ scope: SCOPE, action: 'unlock', lock_id: ID });
    const { json } = await waits;
    await lock({ scope: SCOPE, action: 'unlock', holder: 'late' });
    await until(() => bodies.length === 7);
    expect(bodies.slice(1).map(short)).toEqual([
      'queued late ',
      'extended early 1',
      'released early 1',
      'promoted late 2',
      'claimed late 2',
      'released late 2',
    ]);
    expect(bodies[1]).toMatchObject({ lock_id: json.lock_id, lock_type: 'write', priority: 'high' });
    expect(bodies[2]).toMatchObject({ lock_id: ID, reason: 'why', session: null, timeout_ms: 3_600_000 });
    expect(bodies[4]).toMatchObject({ event: 'promoted', claimed: false });
    const ids = bodies.map((body) => body.id!);
    expect(ids).toEqual([...new Set(ids)].sort());
    for (const { at } of bodies) expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
    stop();
    await lock({ scope: SCOPE, action: 'lock' });
    expect(bodies.length).toBe(7);
  });

  test('tells nothing of other scopes', async () => {
    const { peer, lock } = await house();
    const { bodies } = listen(peer);
    await until(() => bodies.length === 1);
    await lock({ scope: 'other', action: 'lock' });
    await lock({ scope: SCOPE, action: 'lock', holder: 'x' });
    await until(() => bodies.length === 2);
    expect(bodies.map(short)).toEqual(['watching  0', 'granted x 1']);
  });

  test('tells who forced it and why, and what lived with a session that died', async () => {
    const { peer, lock, call } = await house();
    const { bodies } = listen(peer);
    await until(() => bodies.length === 1);
    await lock({ scope: SCOPE, action: 'lock', holder: 'x', reason: 'its own' });
    await lock({ scope: SCOPE, action: 'unlock', force: true, holder: 'ops', reason: 'stuck: since noon' });
    const { json } = await call('POST', '/api/v1.0/sessions', { ttl: '300ms' });
    await lock({ scope: SCOPE, action: 'lock', holder: 'y', session: json.session, timeout: 'none' });
    await until(() => bodies.length === 5);
    expect(bodies.slice(1)).toMatchObject([
      { event: 'granted', holder: 'x', reason: 'its own' },
      {
        event: 'lost',
        holder: 'x',
        fencing_token: 1,
        cause: 'forced',
        by: 'ops',
        reason: 'stuck: since noon',
      },
      { event: 'granted', holder: 'y', session: json.session, timeout_ms: null },
      { event: 'lost', holder: 'y', fencing_token: 2, cause: 'crashed', by: null, reason: null },
    ]);
  });

  test('a cancelled place is told, a lock id that nobody ever heard of is not', async () => {
    const { peer, lock } = await house();
    await lock({ scope: SCOPE, action: 'lock', holder: 'x' });
    const { bodies } = listen(peer);
    await until(() => bodies.length === 1);
    const waits = lock({ scope: SCOPE, action: 'lock', holder: 'y', lock_id: ID, wait: '30s' });
    await until(() => bodies.length === 2);
    await lock({ scope: SCOPE, action: 'cancel', lock_id: OTHER });
    await lock({ scope: SCOPE, action: 'cancel', lock_id: ID });
    await waits;
    await lock({ scope: SCOPE, action: 'unlock', holder: 'x' });
    await until(() => bodies.length === 4);
    expect(bodies.slice(1).map(short)).toEqual(['queued y ', 'cancelled y ', 'released x 1']);
  });

  test('is the same at every peer, and names each change alike', async () => {
    const peers = mesh(3);
    const houses = await Promise.all(peers.map((peer) => house({ peer })));
    const streams = peers.map((peer) => listen(peer).bodies);
    await until(() => streams.every((bodies) => bodies.length === 1));
    for (let i = 0; i < 6; i++) {
      await houses[i % 3]!.lock({ scope: SCOPE, action: 'lock', holder: `h${i}` });
      await houses[(i + 1) % 3]!.lock({ scope: SCOPE, action: 'unlock', holder: `h${i}` });
    }
    await until(() => streams.every((bodies) => bodies.length === 13));
    const told = streams.map((bodies) => bodies.slice(1).map((body) => `${body.id} ${short(body)}`));
    expect(told[1]).toEqual(told[0]);
    expect(told[2]).toEqual(told[0]);
    expect(streams[0]!.slice(1).map(short)).toEqual(
      [1, 2, 3, 4, 5, 6].flatMap((token) => [
        `granted h${token - 1} ${token}`,
        `released h${token - 1} ${token}`,
      ]),
    );
  });

  test('ends when the peer can tell no more', async () => {
    const peer = new SoloPeer();
    const { bodies } = listen(peer);
    await until(() => bodies.length === 1);
    peer.endListening();
    await until(() => bodies.length === 2);
    expect(bodies[1]).toMatchObject({ event: 'end', scope: SCOPE });
    expect(bodies[1]!.id).toBeUndefined();
  });
});

describe('each fact', () => {
  const A = id('a');
  const grant: Grant = held(A, 'write', 7, { at: 1_000 });
  const waits: Waiter = waiter(A, 1, { at: 2_000 });

  function told(fact: Partial<Fact>): EventBody | undefined {
    const peer = new ScriptedPeer(() => decided({ kind: 'state' }));
    const bodies: EventBody[] = [];
    watchScope({ peer }, SCOPE, (body) => bodies.push(eventBody.parse(body)));
    const whole = {
      kind: 'granted',
      lockId: A,
      token: 7,
      of: grant,
      ending: null,
      note: null,
      ...fact,
    } as Fact;
    const ballot = { round: 10_001, peer: 'ab', boot: 36 };
    const news: News = { scope: SCOPE, ballot, version: 5, facts: [whole], compared: false, begins: null };
    for (const listener of peer.listeners.keys()) listener(news);
    return bodies[0];
  }

  test.each<[string, Partial<Fact>, Partial<EventBody>]>([
    [
      'granted',
      {},
      { event: 'granted', fencing_token: 7, timeout_ms: 20_000, at: '1970-01-01T00:00:01.000Z' },
    ],
    [
      'queued',
      { kind: 'queued', of: waits, token: 0 as never },
      { event: 'queued', fencing_token: null, at: '1970-01-01T00:00:02.000Z' },
    ],
    ['promoted', { kind: 'promoted' }, { event: 'promoted', claimed: true }],
    [
      'promoted, to be claimed',
      { kind: 'promoted', of: unclaimed(waits, 7) },
      { event: 'promoted', claimed: false },
    ],
    ['promoted, and gone unseen', { kind: 'promoted', of: waits }, { event: 'promoted', claimed: false }],
    ['claimed', { kind: 'claimed' }, { event: 'claimed' }],
    ['extended', { kind: 'extended' }, { event: 'extended' }],
    ['converted', { kind: 'converted' }, { event: 'converted', lock_type: 'write' }],
    ['waits to write', { kind: 'upgrading' }, { event: 'upgrading', waits: true }],
    ['still only reads', { kind: 'stays' }, { event: 'upgrading', waits: false }],
    ['kept', { kind: 'kept', of: waits, token: 0 as never }, { event: 'kept', holder: 'holder of a' }],
    ['released', { kind: 'ended', ending: 'released' }, { event: 'released', fencing_token: 7 }],
    ['expired', { kind: 'ended', ending: 'expired' }, { event: 'expired' }],
    [
      'forced, by a note of no form',
      { kind: 'ended', ending: 'forced', note: 'x' },
      { event: 'lost', cause: 'forced', by: null, reason: 'x' },
    ],
    [
      'forced, without a note',
      { kind: 'ended', ending: 'forced' },
      { event: 'lost', by: null, reason: null },
    ],
    ['forgotten', { kind: 'ended' }, { event: 'lost', cause: 'unknown' }],
    ['unseen', { of: null }, { event: 'granted', holder: null, lock_type: null, fencing_token: 7 }],
  ])('%s', (_, fact, body) => {
    expect(told(fact)).toMatchObject({ scope: SCOPE, lock_id: 'a', id: '37pt-ab-210-15-11', ...body });
  });

  test('a permit says which of them it is', () => {
    const permit = held(A, 'permit', 7, { permits: 3, slot: 2 });
    expect(told({ of: permit })).toMatchObject({ lock_type: 'permit', slot: 2 });
  });

  test('an ending of nobody is none', () => {
    expect(told({ kind: 'ended', of: null, token: 0 as never, ending: 'cancelled' })).toBeUndefined();
  });
});

describe('where nothing can be told', () => {
  const peerThat = (standing: SoloPeer['standing']) =>
    Object.assign(new SoloPeer(['p1', 'p2']), { standing });

  test.each<[SoloPeer['standing'], RegExp]>([
    [{ kind: 'observing' }, /observer/],
    [{ kind: 'refused', reason: 'wiped', mend: 'do this' }, /wiped.*do this/],
    [{ kind: 'forming', missing: ['p2'] }, /forming.*p2/],
  ])('%o', (standing, why) => {
    const problem = notWatchable(doorOf(peerThat(standing)), SCOPE);
    expect([problem?.code, problem?.extra.scope]).toEqual(['no_quorum', SCOPE]);
    expect(problem?.message).toMatch(why);
  });

  test('a voter can', () => {
    expect(notWatchable(doorOf(peerThat({ kind: 'voting' })), SCOPE)).toBeUndefined();
  });

  test('the last word has no id: nothing is resumed from there', () => {
    expect(eventBody.parse(endOf(SCOPE, 'why'))).toMatchObject({ event: 'end', detail: 'why' });
  });
});
