/** What callers say, and what is wrong with it. */
import { describe, expect, test } from 'vitest';
import { InvalidRequestError } from '../../../src/client/errors.ts';
import { leaseOf, readServer, readSettings } from '../../../src/client/options.ts';
import type { AcquireOptions, QuorateOptions } from '../../../src/client/types.ts';
import { lockWish, multiWish, permitWish } from '../../../src/client/wishes.ts';

describe('servers', () => {
  test.each([
    ['127.0.0.1:20195', '127.0.0.1:20195', false],
    ['peer-1.example', 'peer-1.example:20194', false],
    ['[::1]:7', '[::1]:7', false],
    ['::1', undefined, false],
    ['http://a:80', 'a:80', false],
    ['http://a', 'a:80', false],
    ['a:80', 'a:80', false],
    ['https://a', 'a:443', true],
    ['wss://a:20194/', 'a:20194', true],
    ['ws://a:1', 'a:1', false],
    ['ftp://a:1', undefined, false],
    ['http://a/path', undefined, false],
    ['http://me:secret@a', undefined, false],
    ['', undefined, false],
    ['a b', undefined, false],
  ])('%s', (text, host, secure) => {
    if (host === undefined) expect(() => readServer(text, 'servers[0]')).toThrow(/^servers\[0\] /);
    else expect(readServer(text, 'servers[0]')).toEqual({ host, secure });
  });

  test('one text may name several; each counts once', () => {
    const { servers } = readSettings({ servers: 'a:1, b:2,a:1' });
    expect(servers.map(({ host }) => host)).toEqual(['a:1', 'b:2']);
  });
});

test('defaults', () => {
  expect(readSettings({ servers: ['a'] })).toMatchObject({
    transport: 'ws',
    ttlMs: 10_000,
    requestMs: 5_000,
  });
  expect(readSettings({ servers: ['a'] }).holder).toMatch(new RegExp(`-${process.pid}$`));
});

test.each<[string, unknown]>([
  ['options', undefined],
  ['servers', { servers: [] }],
  ['servers\\[1\\]', { servers: ['a', 7] }],
  ['transport', { servers: ['a'], transport: 'udp' }],
  ['ttl', { servers: ['a'], ttl: '10ms' }],
  ['ttl', { servers: ['a'], ttl: 'soon' }],
  ['requestTimeout', { servers: ['a'], requestTimeout: 0 }],
  ['holder', { servers: ['a'], holder: 'x'.repeat(201) }],
])('a client refuses bad %s', (field, options) => {
  expect(() => readSettings(options as QuorateOptions)).toThrow(
    new RegExp(`^${field} .*: (give|write)|^${field} must be`),
  );
});

test.each<[string, string, AcquireOptions]>([
  ['scope', '', {}],
  ['scope', 'x'.repeat(513), {}],
  ['scope', 'é'.repeat(257), {}],
  ['scope', 'a\u0000', {}],
  ['scope', 'a\u0085', {}],
  ['scope', 'a\ud800', {}],
  ['wait', 's', { wait: '8d' }],
  ['wait', 's', { wait: -1 }],
  ['timeout', 's', { timeout: 0 }],
  ['timeout', 's', { timeout: 'forever' }],
  ['timeout', 's', { timeout: '366d' }],
  ['lockType', 's', { lockType: 'permit' as never }],
  ['priority', 's', { priority: 'urgent' as never }],
  ['reason', 's', { reason: '' }],
  ['holder', 's', { holder: 'x'.repeat(257) }],
  ['lockId', 's', { lockId: 'mine' }],
  ['signal', 's', { signal: {} as never }],
  ['ttl', 's', { ttl: '10s' } as never],
])('an acquire refuses bad %s', (field, scope, options) => {
  const error = (() => {
    try {
      lockWish(scope, options);
      return undefined;
    } catch (thrown) {
      return thrown as InvalidRequestError;
    }
  })();
  expect(error).toBeInstanceOf(InvalidRequestError);
  expect(error!.message).toMatch(new RegExp(`^${field} `));
  expect(error).toMatchObject({ code: 'invalid_request', certainty: 'definite' });
});

test('leases', () => {
  expect([leaseOf(undefined), leaseOf('auto'), leaseOf('none'), leaseOf('250ms'), leaseOf(1.5)]).toEqual([
    null,
    null,
    0,
    250,
    1_500,
  ]);
});

test('permits and several scopes have no lock type and no lease of their own', () => {
  expect(permitWish('s', 3, { timeout: '1m' })).toMatchObject({
    mode: 'permit',
    permits: 3,
    leaseMs: 60_000,
  });
  expect(() => permitWish('s', 3, { lockType: 'read' } as never)).toThrow(/^lockType is no option/);
  expect(multiWish({ wait: '1s' })).toMatchObject({ waitMs: 1_000, leaseMs: 0 });
  expect(() => multiWish({ timeout: '1m' } as never)).toThrow(/^timeout is no option/);
});
