import { describe, expect, test } from 'vitest';
import { faultOfPeerName, readAddress, readRoster, urlOf, writeAddress } from '../../../src/cli/address.ts';

describe('readAddress', () => {
  test.each([
    ['127.0.0.1:20194', '127.0.0.1', 20194],
    ['localhost', 'localhost', 20194],
    ['db-1.internal:1', 'db-1.internal', 1],
    ['[::1]:65535', '::1', 65535],
    ['[::1]', '::1', 20194],
    ['0.0.0.0:80', '0.0.0.0', 80],
  ])('%s', (text, host, port) => {
    const address = readAddress(text);
    expect(address).toEqual({ host, port });
    expect(readAddress(writeAddress(address as { host: string; port: number }))).toEqual({ host, port });
  });

  test.each([
    '',
    ':80',
    'a:b',
    '::1',
    '::1:80',
    'a:1:2',
    '[::1',
    'a b',
    'http://a:1',
    '-a',
    'a:',
    'a:123456',
  ])('%j is none', (text) => {
    expect(readAddress(text)).toMatch(/is no address: write HOST:PORT/);
  });

  test.each(['a:0', 'a:65536'])('%j has no such port', (text) => {
    expect(readAddress(text)).toMatch(/write one from 1 to 65535/);
  });

  test('urls bracket IPv6', () => {
    expect(urlOf({ host: '::1', port: 1 })).toBe('http://[::1]:1');
    expect(urlOf({ host: 'a', port: 1 })).toBe('http://a:1');
  });
});

describe('readRoster', () => {
  test('from a flag and from a mapping', () => {
    const wanted = new Map([
      ['p1', '127.0.0.1:20194'],
      ['p2', '[::1]:20195'],
    ]);
    expect(readRoster('p1=127.0.0.1, p2=[::1]:20195')).toEqual(wanted);
    expect(readRoster({ p1: '127.0.0.1', p2: '[::1]:20195' })).toEqual(wanted);
  });

  test.each([
    ['', /"" has no address: write NAME=HOST:PORT/],
    ['p1', /"p1" has no address/],
    ['p1=', /"p1" has no address/],
    ['p1=a:1,', /"" has no address/],
    ['=a:1', /"" is no name/],
    ['p 1=a:1', /"p 1" is no name/],
    ['p1=a:x', /p1: "a:x" is no address/],
    ['p1=a:1,p1=a:2', /p1 is in it twice/],
    ['p1=a:1,p2=a:1', /p1 and p2 have the same address/],
    [Array.from({ length: 32 }, (_, i) => `p${i}=a:${i + 1}`).join(','), /has 32 voters, at most 31/],
    [{}, /names nobody/],
  ])('%j is refused', (input, why) => {
    expect(readRoster(input)).toMatch(why);
  });
});

test('names are short and plain', () => {
  for (const name of ['p1', 'db-1.internal', 'A_b', '7']) expect(faultOfPeerName(name)).toBeUndefined();
  for (const name of ['', 'a b', '-a', 'ü', 'a=b', 'a,b', 'x'.repeat(65), 'a\n']) {
    expect(faultOfPeerName(name)).toMatch(/is no name: 1 to 64 letters/);
  }
});
