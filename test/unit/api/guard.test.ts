import { describe, expect, test } from 'vitest';
import { Guard, isLoopback } from '../../../src/api/guard.ts';
import { Problem } from '../../../src/api/problems.ts';

const local = new Guard('127.0.0.1', ['db-1.internal']);
const open = new Guard('0.0.0.0', ['quorate-0']);

function verdict(guard: Guard, host: string | undefined, origin?: string): string {
  try {
    guard.admit({ host, origin });
    return 'in';
  } catch (error) {
    expect(error).toBeInstanceOf(Problem);
    return (error as Problem).code;
  }
}

describe('Host', () => {
  test.each([
    ...[
      'localhost',
      'localhost:20194',
      'LOCALHOST:1',
      'localhost.',
      'a.localhost:80',
      '127.0.0.1',
      '127.9.8.7:1',
    ],
    ...['[::1]', '[::1]:20194', '[0:0::1]:1', '[::ffff:127.0.0.1]', 'db-1.internal', 'DB-1.Internal:20194'],
  ])('%s may come in', (host) => {
    expect(verdict(local, host)).toBe('in');
    expect(verdict(local, host)).toBe('in'); // remembered
  });

  test('HTTP/1.0 has none', () => {
    expect(verdict(local, undefined)).toBe('in');
  });

  test.each([
    ...['evil.example', 'evil.example:20194', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1'],
    ...[
      'notlocalhost',
      'localhost@evil.example',
      'evil.example#localhost',
      'localhost/../',
      '',
      ' ',
      '[::2]',
    ],
    ...['128.0.0.1', '0.0.0.0', 'localhost:99999', 'loc\u0430lhost', 'http://localhost', '[::1', 'a b'],
  ])('%j may not', (host) => {
    expect(verdict(local, host)).toBe('forbidden');
  });

  test('a peer that listens everywhere is called by any address, not by any name', () => {
    expect(verdict(open, '10.1.2.3:20194')).toBe('in');
    expect(verdict(open, '[fe80::1]:20194')).toBe('in');
    expect(verdict(open, 'quorate-0:20194')).toBe('in');
    expect(verdict(open, 'evil.example')).toBe('forbidden');
  });

  test('many good hosts do not fill the memory', () => {
    for (let i = 0; i < 5_000; i++) expect(verdict(local, `localhost:${i + 1}`)).toBe('in');
  });
});

describe('Origin', () => {
  test.each([
    ['localhost:20194', 'http://localhost:20194'],
    ['127.0.0.1:20194', 'http://localhost:20194'],
    ['localhost:20194', 'http://[::1]:20194'],
    ['db-1.internal', 'https://db-1.internal'],
  ])('Host %s takes Origin %s', (host, origin) => {
    expect(verdict(local, host, origin)).toBe('in');
  });

  test.each([
    ['localhost:20194', 'http://evil.example'],
    ['localhost:20194', 'http://evil.example:20194'],
    ['localhost:20194', 'http://localhost:3000'],
    ['localhost:20194', 'http://localhost'],
    ['localhost:20194', 'null'],
    ['localhost:20194', ''],
    ['localhost:20194', 'file://'],
    ['localhost:20194', 'chrome-extension://abc'],
    [undefined, 'http://localhost:20194'],
  ])('Host %s refuses Origin %j', (host, origin) => {
    expect(verdict(local, host, origin)).toBe('forbidden');
  });
});

test.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['::1', true],
  ['[::1]', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.168.0.1', false],
  ['127.0.0.1.example', false],
  ['example', false],
])('isLoopback(%s) is %s', (host, is) => {
  expect(isLoopback(host)).toBe(is);
});
