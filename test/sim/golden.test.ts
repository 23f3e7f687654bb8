/**
 * Each golden file holds commands and, below a rule, all that a mesh of real peers did. `npm run golden:update`
 * rewrites what stands below the rule: commit the difference only if you can explain it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { playGolden } from './golden.ts';

const folder = fileURLToPath(new URL('golden', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8');

describe('golden interactions', () => {
  test.each(files)('%s', (name) => {
    const before = read(name);
    const { text } = playGolden(before);
    expect(playGolden(text).text).toBe(text); // the same commands give the same text
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(`${folder}/${name}`, text);
    else expect(text).toBe(before);
  });

  test('between them, a reader meets every row of the acceptor', () => {
    const rows = new Set(files.flatMap((name) => [...playGolden(read(name)).rows]));
    expect([...rows].sort().join('')).toBe('ABCDEFGHIJ');
  });

  test('a file says what it is about before anything else', () => {
    expect(files.length).toBeGreaterThan(0);
    for (const name of files) expect(read(name)).toMatch(/^# \S/);
  });

  test.each([
    ['# x\nmesh 3\nask p9 status s', /no such peer: p9/],
    ['# x\nmesh 3\nplay p1', /no such command: play p1/],
    ['# x\nmesh 3\ndeliver too=p1', /no such filter: too=p1/],
    ['# x\nmesh 3\nwait 5', /no such time: 5/],
    ['# x\nmesh 3\nask p1 eat s', /ask p1 what\? eat s/],
  ])('a slip is told: %j', (text, why) => {
    expect(() => playGolden(text)).toThrow(why);
  });
});
