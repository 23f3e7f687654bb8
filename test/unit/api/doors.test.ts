/** The other routes, and what stands in front of all of them. */
import { beforeEach, describe, expect, test } from 'vitest';
import { healthAnswer, listAnswer, peersAnswer, problem, status } from '../../../src/api/answers.ts';
import { type House, house, mesh } from './harness.ts';

let at: House;
beforeEach(async () => {
  at = await house();
});

const lock = (scope: string, fields: object = {}) => at.lock({ scope, action: 'lock', ...fields });

describe('GET /api/v1.0/locks', () => {
  const scopes = async (query = '') => {
    const { json } = await at.get(`/api/v1.0/locks${query}`);
    expect(listAnswer.parse(json)).toEqual(json);
    return json.locks.map(({ scope }: { scope: string }) => scope);
  };

  test('shows what is held, as status does, and how old that is', async () => {
    await lock('a', { holder: 'w', timeout: '30s' });
    await lock('b', { timeout: 'none' });
    await lock('c');
    await at.lock({ scope: 'c', action: 'unlock' });
    const { json } = await at.get('/api/v1.0/locks');
    expect(listAnswer.parse(json)).toEqual(json);
    expect(json).toMatchObject({ next_cursor: null, as_of_ms: expect.any(Number) });
    expect(json.locks).toMatchObject([
      { scope: 'a', status: 'locked', holders: [{ holder: 'w', timeout_ms: 30_000 }] },
      { scope: 'b', holders: [{ expires_in_ms: null, takeover_ms: null }] },
    ]);
    expect(json.locks[0].holders[0].expires_in_ms).toBeGreaterThan(29_000);
  });

  test('filters', async () => {
    await lock('job/1', { holder: 'w' });
    await lock('job/2', { holder: 'v' });
    await lock('other', { holder: 'w' });
    expect(await scopes('?prefix=job/')).toEqual(['job/1', 'job/2']);
    expect(await scopes('?holder=w')).toEqual(['job/1', 'other']);
    expect(await scopes('?prefix=job/&holder=w&state=locked')).toEqual(['job/1']);
    expect(await scopes('?state=free')).toEqual([]);
    expect(await scopes('?older_than=0')).toHaveLength(3);
    expect(await scopes('?older_than=1h')).toEqual([]);
  });

  test('pages neither skip nor repeat', async () => {
    const names = Array.from({ length: 25 }, (_, i) => `s${String((i * 7) % 25).padStart(2, '0')}`);
    for (const name of names) await lock(name);
    const met: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 10; pages++) {
      const { json } = await at.get(`/api/v1.0/locks?limit=4${cursor}`);
      met.push(...json.locks.map(({ scope }: { scope: string }) => scope));
      if (json.next_cursor === null) break;
      expect(json.locks).toHaveLength(4);
      cursor = `&cursor=${json.next_cursor}`;
    }
    expect(met).toEqual([...names].sort());
  });

  test.each([
    ['?limit=0', 'limit', /must be a whole number from 1 to 1000/],
    ['?limit=1001', 'limit', /must be a whole number/],
    ['?limit=x', 'limit', /must be a whole number/],
    ['?limit=1.5', 'limit', /must be a whole number/],
    ['?state=held', 'state', /must be locked or free/],
    ['?older_than=old', 'older_than', /is no duration/],
    ['?cursor=!', 'cursor', /use `next_cursor` as it came/],
    ['?cursor=', 'cursor', /use `next_cursor` as it came/],
    ['?prefix=a&prefix=b', 'prefix', /must be one text/],
    ['?pefix=a', 'pefix', /did you mean prefix/],
    ['?__proto__=a', '__proto__', /not a known field/],
  ])('%s is refused by name', async (query, field, why) => {
    const { status: code, json } = await at.get(`/api/v1.0/locks${query}`);
    expect(code).toBe(400);
    expect(json.errors).toEqual([{ field, detail: expect.stringMatching(why) }]);
  });

  test('many scopes do not hold the others up', async () => {
    const other = mesh(1)[0]!;
    const [[, register] = []] = await lock('x').then(() => [...at.peer.held()]);
    other.held = function* () {
      for (let i = 0; i < 200_000; i++) yield [`s${i}`, register!] as const;
    };
    const busy = await house({ peer: other });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const { json } = await busy.get('/api/v1.0/locks?limit=3&prefix=s1');
    clearInterval(timer);
    expect(json.locks.map(({ scope }: { scope: string }) => scope)).toEqual(['s1', 's10', 's100']);
    expect(turns).toBeGreaterThan(5);
  });
});

describe('GET /api/v1.0/locks/{scope}', () => {
  test.each(['db', 'a/b', 'ü?#%', ' ', 'x'.repeat(512), '日'.repeat(170)])('%.20j', async (name) => {
    await lock(name, { holder: 'w' });
    const { status: code, json } = await at.get(`/api/v1.0/locks/${encodeURIComponent(name)}`);
    expect(code).toBe(200);
    expect(status.parse(json)).toEqual(json);
    expect(json).toMatchObject({ scope: name, holders: [{ holder: 'w' }] });
  });

  test.each([
    ['%ff', 400, 'path'],
    ['%', 400, 'path'],
    ['%0A', 400, 'scope'],
    ['x'.repeat(513), 400, 'scope'],
  ])('%.10s is refused', async (segment, code, field) => {
    const { status: http, json } = await at.get(`/api/v1.0/locks/${segment}`);
    expect(http).toBe(code);
    expect(json).toMatchObject({ code: 'invalid_request', errors: [{ field }] });
  });
});

describe('the state of the peer', () => {
  test('/api/v1.0/peers', async () => {
    const [peer] = mesh(3);
    peer!.liveness(2, false);
    at = await house({ peer: peer! });
    const { json } = await at.get('/api/v1.0/peers');
    expect(peersAnswer.parse(json)).toEqual(json);
    expect(json).toMatchObject({ epoch: 1, quorum: 2 });
    expect(json.peers).toEqual([
      { name: 'p1', address: '127.0.0.1:20194', role: 'voter', state: 'alive', rtt_ms: null },
      { name: 'p2', address: '127.0.0.1:20195', role: 'voter', state: 'alive', rtt_ms: 0.25 },
      { name: 'p3', address: '127.0.0.1:20196', role: 'voter', state: 'dead', rtt_ms: 0.25 },
    ]);
  });

  test('/healthz answers whatever the others do', async () => {
    at.peer.standing = { kind: 'forming', missing: ['p2'] };
    const { status: code, json } = await at.get('/healthz');
    expect(code).toBe(200);
    expect(healthAnswer.parse(json)).toEqual(json);
  });

  test('/readyz says why not', async () => {
    const [peer] = mesh(3);
    at = await house({ peer: peer! });
    const ready = await at.get('/readyz');
    expect(ready.status).toBe(200);
    expect(healthAnswer.parse(ready.json)).toMatchObject({ status: 'ready', peer: 'p1' });
    peer!.liveness(1, false);
    peer!.liveness(2, false);
    const alone = await at.get('/readyz');
    expect(alone.status).toBe(503);
    expect(alone.json).toMatchObject({ code: 'no_quorum', missing: ['p2', 'p3'], certainty: 'definite' });
    peer!.standing = { kind: 'forming', missing: ['p3'] };
    expect((await at.get('/readyz')).json.detail).toMatch(/still forming.*p3/);
    peer!.standing = { kind: 'refused', reason: 'its disk was wiped.', mend: 'quorate roster replace p1' };
    expect((await at.get('/readyz')).json.detail).toMatch(/its disk was wiped\..*quorate roster replace p1/);
    peer!.liveness(1, true);
    peer!.standing = { kind: 'observing' };
    expect((await at.get('/readyz')).status).toBe(200);
  });

  test('/metrics counts by action and code', async () => {
    const links = { framesIn: 1, framesOut: 2, messagesIn: 3, messagesOut: 4, bytesIn: 5, bytesOut: 6 };
    at = await house({
      figures: () => ({ scopes: 12, requests: 3 }),
      counters: () => ({ flushes: 8, registersFlushed: 9, dropped: 0, ...links }),
    });
    await lock('a');
    await lock('a');
    await at.lock('{}');
    await at.get('/api/v1.0/locks/a');
    await at.get('/nope');
    const { headers, json } = await at.get('/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const line of [
      'quorate_requests_total{action="lock",code="ok"} 1',
      'quorate_requests_total{action="lock",code="busy"} 1',
      'quorate_requests_total{action="invalid",code="invalid_request"} 1',
      'quorate_requests_total{action="status",code="ok"} 1',
      'quorate_requests_total{action="other",code="unknown_route"} 1',
      'quorate_peers{role="voter",state="alive"} 1',
      'quorate_quorum 1',
      'quorate_quorum_size 1',
      'quorate_voters 1',
      'quorate_scopes_in_memory 12',
      'quorate_requests_open 3',
      'quorate_flushes_total 8',
      'quorate_registers_flushed_total 9',
      'quorate_link_messages_total{direction="out"} 4',
      `quorate_build_info{version="0.0.0",node="${process.versions.node}"} 1`,
    ]) {
      expect(json.text.split('\n')).toContain(line);
    }
    const names = [...json.text.matchAll(/^(\w+)/gm)].map(([, name]) => name);
    expect(names.filter((name) => !name!.startsWith('quorate_'))).toEqual([]);
  });
});

describe('/openapi.json', () => {
  test('tells of every route, with the very schemas', async () => {
    const { json } = await at.get('/openapi.json');
    expect(json.openapi).toBe('3.1.0');
    expect(Object.keys(json.paths)).toEqual([
      '/api/v1.0/lock',
      '/api/v1.0/sessions',
      '/api/v1.0/sessions/{id}/heartbeat',
      '/api/v1.0/sessions/{id}',
      '/api/v1.0/locks',
      '/api/v1.0/locks/{scope}',
      '/api/v1.0/events',
      '/api/v1.0/peers',
      '/healthz',
      '/readyz',
    ]);
    const { schemas } = json.components;
    expect(schemas.LockRequest).toMatchObject({ required: ['scope', 'action'], additionalProperties: false });
    expect(schemas.LockRequest.properties.scope).toMatchObject({ minLength: 1, maxLength: 512 });
    expect(Object.keys(schemas.Locked.properties)).toContain('fencing_token');
    const text = JSON.stringify(json);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(schemas).toHaveProperty(name!);
  });
});

describe('in front of every door', () => {
  const paths = [
    '/api/v1.0/locks',
    '/api/v1.0/peers',
    '/healthz',
    '/readyz',
    '/metrics',
    '/openapi.json',
    '/nope',
  ];

  test.each(paths)('%s refuses a foreign Host and a foreign Origin', async (path) => {
    for (const headers of [{ host: 'evil.example' }, { origin: 'http://evil.example' }]) {
      const { status: code, json } = await at.get(path, headers as unknown as Record<string, string>);
      expect(code).toBe(403);
      expect(problem.parse(json)).toMatchObject({ code: 'forbidden', certainty: 'definite' });
    }
  });

  test('a page of another site takes no lock', async () => {
    const answer = await at.lock({ scope: 'db', action: 'lock' }, { origin: 'http://evil.example' });
    expect(answer).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    expect(at.peer.asked).toEqual([]);
  });

  test.each([
    ['/', 404, 'unknown_route'],
    ['/api/v1.0', 404, 'unknown_route'],
    ['/api/v1.0/locks/a/b', 404, 'unknown_route'],
    ['/api/v1.0/lock', 405, 'method_not_allowed'],
  ])('%s is %d', async (path, code, word) => {
    const { status: http, json, headers } = await at.get(path);
    expect(http).toBe(code);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(problem.parse(json)).toMatchObject({ code: word });
    if (code === 405) expect(headers.allow).toBe('POST');
  });

  test('another method names those that work', async () => {
    const { statusCode, headers } = await at.server.app.inject({ method: 'DELETE', url: '/api/v1.0/locks' });
    expect(statusCode).toBe(405);
    expect(headers.allow).toBe('GET, HEAD');
  });

  test('no answer is kept by a cache', async () => {
    expect((await at.get('/api/v1.0/locks/a')).headers['cache-control']).toBe('no-store');
  });
});
