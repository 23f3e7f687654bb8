/** The guard in deploy/guards/redis, on a real Redis. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StaleTokenError } from '../../deploy/guards/fence.ts';
import { RedisGuard } from '../../deploy/guards/redis/guard.ts';
import type { RedisConnection } from '../bench/rivals/resp.ts';
import { checkMarks, fence, inOrder, shuffled, taken } from './guards.ts';
import { missing, Redis } from './guards-servers.ts';

const SCRIPT = readFileSync(new URL('../../deploy/guards/redis/guard.lua', import.meta.url), 'latin1');
/** Token and value, at one moment. */
const LOOK = `
  local token = redis.call('HGET', KEYS[1], 'token')
  return token and token .. ' ' .. redis.call('HGET', KEYS[1], 'value') or ''`;

describe.skipIf(missing.redis)('a guard in Redis (skipped without Redis)', () => {
  let server: Redis;
  const connections: RedisConnection[] = [];
  const guards: RedisGuard[] = [];

  beforeAll(async () => {
    server = await Redis.start();
    for (let i = 0; i < 8; i++) {
      const connection = await server.connect();
      connections.push(connection);
      guards.push(new RedisGuard((script, key, args) => connection.ask('EVAL', script, '1', key, ...args)));
    }
  });
  afterAll(async () => {
    for (const connection of connections) connection.close();
    await server?.stop();
  });

  test('keeps the rule of all marks', () => checkMarks(guards[0]!, 'marks'));

  test('takes the first token and newer ones; a stale one changes neither the value nor the mark', async () => {
    const [guard] = guards as [RedisGuard];
    expect(await guard.take('price', fence(4))).toBeNull();
    await guard.write('price', fence(5), 'five');
    await guard.write('price', fence(7), 'seven');
    await expect(guard.write('price', fence(6), 'six')).rejects.toThrow(StaleTokenError);
    await expect(guard.take('price', fence(6))).rejects.toThrow(StaleTokenError);
    expect(await guard.take('price', fence(8))).toBe('seven');
    await expect(guard.write('price', fence(7), 'late')).rejects.toThrow(StaleTokenError);
    await guard.write('price', fence(8), '');
    expect(await connections[0]!.ask('HGET', 'price', 'value')).toBe('');
    expect(await connections[0]!.ask('HGET', 'price', 'token')).toBe('8');
  });

  test('concurrent writers: who looks on sees tokens grow, each with its own value', async () => {
    const seen: string[] = [];
    let over = false;
    const looking = (async () => {
      const look = await server.connect();
      while (!over) seen.push(String(await look.ask('EVAL', LOOK, '1', 'busy')));
      look.close();
    })();
    const tokens = shuffled(800);
    const wrote = await Promise.all(
      guards.map(async (guard, i) => {
        const mine: number[] = [];
        for (const token of tokens.filter((_, at) => at % guards.length === i)) {
          const write = async () => guard.write('busy', fence(token), `written by ${token}`);
          mine.push(...(await taken([token], write)));
        }
        return mine;
      }),
    );
    over = true;
    await looking;
    expect(wrote.flat()).toContain(800);
    expect(await connections[0]!.ask('HGET', 'busy', 'value')).toBe('written by 800');
    const found = seen.filter((line) => line !== '').map((line) => line.split(' written by '));
    for (const [token, value] of found) expect(value).toBe(token);
    const numbers = found.map(([token]) => Number(token));
    expect(new Set(numbers).size).toBeGreaterThan(1);
    expect(numbers).toEqual(inOrder(numbers));
  });

  test.each([['nothing'], ['', 'x'], ['abc', 'x'], ['-1', 'x'], ['1e3', 'x'], ['12345678901234567', 'x']])(
    'the script refuses %s as a token',
    async (...args) => {
      await expect(connections[0]!.ask('EVAL', SCRIPT, '1', 'odd', ...args)).rejects.toThrow(/^BADTOKEN/);
      expect(await connections[0]!.ask('EXISTS', 'odd')).toBe(0);
    },
  );

  test('an error of Redis is not taken for a stale token', async () => {
    await connections[0]!.ask('SET', 'text', 'no hash');
    await expect(guards[0]!.write('text', fence(1), 'x')).rejects.toThrow(/WRONGTYPE/);
  });
});
