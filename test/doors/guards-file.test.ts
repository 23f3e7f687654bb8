/** The guard in deploy/guards/file, in real processes that are stopped and killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StaleTokenError } from '../../deploy/guards/fence.ts';
import { FileGuard, removeDead } from '../../deploy/guards/file/guard.ts';
import { checkMarks, contentOf, fence, inOrder, shuffled, taken } from './guards.ts';
import { until } from './up.ts';

const WRITER = fileURLToPath(new URL('guards-file-writer.ts', import.meta.url));

let dir: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-guard-'));
  path = join(dir, 'config');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    await until('a writer ended', () => child.exitCode !== null || child.signalCode !== null);
  }
  rmSync(dir, { recursive: true });
});

function writer(...tokens: readonly (number | string)[]) {
  const args = ['--import', 'tsx', WRITER, path, ...tokens.map(String)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines: string[] = [];
  const seen = { child, lines, closed: false };
  child.stdout!.on('data', (chunk) => {
    lines.push(...String(chunk).split('\n').filter(Boolean));
  });
  child.on('close', () => {
    seen.closed = true;
  });
  return seen;
}

const text = () => readFileSync(path, 'utf8');

test('keeps the rule of all marks, each resource in a file of its own', async () => {
  const guards = new Map<string, FileGuard>();
  await checkMarks(
    {
      raise(lock) {
        const name = encodeURIComponent(`${lock.scope} ${lock.slot}`);
        const guard = guards.get(name) ?? new FileGuard(join(dir, name));
        guards.set(name, guard);
        return guard.raise(lock);
      },
    },
    'marks',
  );
});

test('takes the first token, newer ones and the same one again; a stale one leaves the file as it is', async () => {
  const guard = new FileGuard(path);
  expect(await guard.take(fence(4))).toBeUndefined();
  await guard.write(fence(5), 'five');
  chmodSync(path, 0o640);
  await guard.write(fence(7), 'seven');
  await guard.write(fence(7), 'seven again');
  await expect(guard.write(fence(6), 'six')).rejects.toThrow(StaleTokenError);
  expect(text()).toBe('seven again');
  expect(String(await guard.take(fence(8)))).toBe('seven again');
  await expect(guard.write(fence(7), 'late')).rejects.toThrow(StaleTokenError);
  // Another guard, as after a restart.
  await expect(new FileGuard(path).write(fence(7), 'late')).rejects.toThrow(StaleTokenError);
  expect(text()).toBe('seven again');
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readdirSync(dir).sort()).toEqual(['config', 'config.fence']);
});

test('concurrent writers in one process: the order of the writes is the order of the tokens', async () => {
  const order: number[] = [];
  const guard = new FileGuard(path);
  const wrote = await taken(shuffled(60), async (token) => {
    await guard.write(fence(token), String(token));
    order.push(token);
  });
  expect(order).toEqual(inOrder(wrote));
  expect(text()).toBe('60');
});

test('concurrent processes: who reads meanwhile sees whole files, and tokens that grow', async () => {
  const writers = [1, 2, 3].map((first) => writer(...Array.from({ length: 30 }, (_, i) => first + 3 * i)));
  const seen: number[] = [];
  const look = () => {
    const found = text();
    const token = Number.parseInt(found, 10);
    expect(found === contentOf(token), `a whole file of ${token}, not ${found.length} bytes`).toBe(true);
    seen.push(token);
  };
  await until('there is a file', () => existsSync(path));
  while (!writers.every(({ closed }) => closed)) {
    look();
    await nextTurn();
  }
  look();
  expect(writers.map(({ child }) => child.exitCode)).toEqual([0, 0, 0]);
  expect(seen).toEqual(inOrder(seen));
  const said = writers.flatMap(({ lines }) => lines);
  expect(said).toHaveLength(90);
  expect(said).toContain('took 90');
  expect(seen.at(-1)).toBe(90);
  expect(readdirSync(dir).sort()).toEqual(['config', 'config.fence']);
});

test('a writer that is stopped in its turn holds up the others; once it is killed they go on', async () => {
  const { child, lines } = writer('for-ever');
  const pid = child.pid!;
  const busy = join(dir, 'config.busy');
  await until('it writes', () => lines.length > 0);
  const inItsTurn = () => {
    try {
      return readFileSync(busy, 'utf8').startsWith(`${pid} `);
    } catch {
      return false;
    }
  };
  await until('it is stopped in its turn', async () => {
    if (!inItsTurn()) return false;
    process.kill(pid, 'SIGSTOP');
    await until('it is stopped', () => / T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
    if (inItsTurn()) return true;
    process.kill(pid, 'SIGCONT');
    return false;
  });
  await expect(new FileGuard(path, 300).write(fence(2), 'two')).rejects.toThrow(
    /config\.busy has been there/,
  );
  child.kill('SIGKILL');
  await until('it is gone', () => child.signalCode !== null);
  // Many find at once that it is dead, and only one of them may remove what it left.
  const wrote = await taken(shuffled(60), (token) =>
    new FileGuard(path, 60_000).write(fence(token + 1), `token ${token + 1}`),
  );
  expect(wrote).toContain(60);
  expect(text()).toBe('token 61');
  expect(readdirSync(dir).filter((name) => name.includes('busy'))).toEqual([]);
});

test('what was found dead is removed, and not what has come in its place', async () => {
  const busy = `${path}.busy`;
  const dead = `4194305 ${hostname()} one`;
  writeFileSync(busy, dead);
  expect(await removeDead(busy, dead)).toBe(true);
  expect(existsSync(busy)).toBe(false);
  writeFileSync(busy, `${process.pid} ${hostname()} two`);
  expect(await removeDead(busy, dead)).toBe(true);
  expect(existsSync(busy)).toBe(true);
});

test.each(['another host', 'a process that lives'])('the turn of %s is never broken', async (whose) => {
  const [pid, host] = whose === 'another host' ? [4_194_305, 'elsewhere'] : [process.pid, hostname()];
  writeFileSync(`${path}.busy`, `${pid} ${host} some`);
  await expect(new FileGuard(path, 50).write(fence(1), 'one')).rejects.toThrow(/config\.busy has been there/);
  expect(readdirSync(dir)).toEqual(['config.busy']);
});

test('a mark that cannot be read lets nobody write', async () => {
  const guard = new FileGuard(path);
  await guard.write(fence(5), 'five');
  for (const damaged of ['', 'x\n', '-1\n', '1e9\n', '7']) {
    writeFileSync(`${path}.fence`, damaged);
    await expect(guard.write(fence(9), 'nine')).rejects.toThrow(/config\.fence holds no token/);
  }
  expect(text()).toBe('five');
});
