/** `quorate up` and `quorate peer` as their users meet them. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { alive, freePorts, MAIN, quorate, Up, until } from './up.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name
type Json = Record<string, any>;

let up: Up | undefined;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-doors-'));
});
afterEach(async () => {
  await up?.stop();
  up = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function lock(url: string, body: object): Promise<Json> {
  const response = await fetch(`${url}/api/v1.0/lock`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  return (await response.json()) as Json;
}

describe('up', () => {
  test('says what it runs, keeps locks over Ctrl-C, and ends all with 0', async () => {
    up = await Up.start(3);
    for (const name of ['p1', 'p2', 'p3'])
      expect(up.out).toMatch(new RegExp(`^  ${name}  http://127.0.0.1:\\d+`, 'm'));
    expect(up.out).toMatch(/^try: curl -X POST http:/m);
    expect(up.out).toMatch(/^ready: 2 of 3 votes decide/m);
    const { lock_id } = await lock(up.url(1), {
      scope: 'kept',
      action: 'lock',
      timeout: 'none',
      holder: 'me',
    });
    const pids = ['p1', 'p2', 'p3'].map((name) => up!.pidOf(name));
    expect(pids.every(alive)).toBe(true);
    expect(await up.end('SIGINT')).toBe(0);
    expect(up.out).toMatch(/^stopped; held locks are kept in/m);
    expect(up.err).toBe('');
    expect(pids.some(alive)).toBe(false);

    await up.launch(['--peers', '3']);
    expect(await lock(up.url(3), { scope: 'kept', action: 'status' })).toMatchObject({
      holders: [{ holder: 'me', lock_id }],
    });
    expect(await up.end('SIGTERM')).toBe(0);
  });

  test('starts a peer again that dies; the others go on meanwhile', async () => {
    up = await Up.start(3);
    const victim = up.pidOf('p2');
    process.kill(victim, 'SIGKILL');
    const { status } = await lock(up.url(1), { scope: 'meanwhile', action: 'lock' });
    expect(status).toBe('locked');
    await until('p2 runs again', () =>
      /p2 was ended by SIGKILL; starting it again in 0\.25 s\n[\s\S]*p2 runs again, process \d+/.test(
        up!.out,
      ),
    );
    expect(up.pidOf('p2')).not.toBe(victim);
    await until(
      'p2 is ready',
      async () => (await fetch(`${up!.url(2)}/readyz`).catch(() => undefined))?.status === 200,
    );
    expect(await lock(up.url(2), { scope: 'meanwhile', action: 'status' })).toMatchObject({
      status: 'locked',
    });
  });

  test('a peer that is asked to end answers what is under way', async () => {
    up = await Up.start(3);
    await lock(up.url(1), { scope: 'warm', action: 'lock' });
    const others = [up.pidOf('p2'), up.pidOf('p3')];
    for (const pid of others) process.kill(pid, 'SIGSTOP');
    const answer = lock(up.url(1), { scope: 'late', action: 'lock' });
    await sleep(200);
    process.kill(up.pidOf('p1'), 'SIGTERM');
    await sleep(200);
    for (const pid of others) process.kill(pid, 'SIGCONT');
    expect(await answer).toMatchObject({ status: 'locked', scope: 'late' });
    await until('p1 ended in order, and runs again', () =>
      /p1 ended with 0;[\s\S]*p1 runs again/.test(up!.out),
    );
  });

  test('asked twice at once, as under npm, it still ends in order', async () => {
    up = await Up.start(1);
    process.kill(up.pid, 'SIGINT');
    expect(await up.end('SIGINT')).toBe(0);
    expect(readFileSync(join(up.dir, 'p1.log'), 'utf8')).toMatch(/"msg":"stopped"}\n$/);
  });

  test('killed itself, it leaves no peer behind, and its data free', async () => {
    up = await Up.start(3);
    const pids = ['p1', 'p2', 'p3'].map((name) => up!.pidOf(name));
    await up.end('SIGKILL');
    await until('all peers ended', () => !pids.some(alive), 10_000);
    await up.launch(['--peers', '3']);
  });

  test('refuses what cannot work, by name, with 2', async () => {
    up = await Up.start(1);
    const again = await quorate(['up', '--data-dir', up.dir, '--port', '20999']);
    expect(again).toMatchObject({ code: 2, out: '' });
    expect(again.err).toMatch(new RegExp(`another quorate up \\(process ${up.pid}\\) runs on`));

    const taken = await quorate(['up', '--data-dir', join(dir, 'a'), '--port', String(up.port)]);
    expect(taken.code).toBe(2);
    expect(taken.err).toContain(`127.0.0.1:${up.port}, which p1 needs, is taken`);
    expect(taken.err).toContain('--port');

    await up.end();
    const other = await quorate(['up', '--data-dir', up.dir, '--peers', '3']);
    expect(other.code).toBe(2);
    expect(other.err).toMatch(/--peers 3: .* holds a mesh of 1/);

    const open = await quorate(['up', '--data-dir', join(dir, 'b'), '--host', '0.0.0.0']);
    expect(open.code).toBe(2);
    expect(open.err).toMatch(/no credentials.*--insecure/);
    expect(existsSync(join(dir, 'b'))).toBe(false);
  });

  test('a wiped peer does not vote, and what mends it is printed', async () => {
    up = await Up.start(3);
    await lock(up.url(1), { scope: 'a', action: 'lock' });
    await up.end();
    rmSync(join(up.dir, 'p2'), { recursive: true });
    await up.launch(['--peers', '3']);
    await until('the mend is printed', () => /^ {2}p2 refused: .*quorate roster replace p2$/m.test(up!.out));
    expect(await lock(up.url(1), { scope: 'a', action: 'status' })).toMatchObject({
      quorum: '2/3 nodes agreed',
    });
    const readyz = await fetch(`${up.url(2)}/readyz`);
    expect(readyz.status).toBe(503);
    expect(((await readyz.json()) as { detail: string }).detail).toContain('quorate roster replace p2');
  });

  test('--json says the same in objects', async () => {
    up = await Up.start(1, ['--json']);
    await up.end();
    const events = up.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(['up', 'peer', 'try', 'ready', 'stopping', 'stopped']);
    expect(events[1]).toMatchObject({ name: 'p1', url: up.url(1), pid: expect.any(Number) });
  });
});

describe('peer', () => {
  test('one in the foreground: ready on stdout, JSON on stderr, TERM answers and ends with 0', async () => {
    const port = await freePorts(1);
    const args = ['peer', '--name', 'p1', '--roster', `p1=127.0.0.1:${port}`, '--data-dir', join(dir, 'p1')];
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await until('it is ready', () => out.startsWith(`ready: p1 votes at http://127.0.0.1:${port}`));
    expect(await lock(`http://127.0.0.1:${port}`, { scope: 'a', action: 'lock' })).toMatchObject({
      quorum: '1/1 nodes agreed',
    });
    const taken = await quorate([
      'peer',
      '--name',
      'p1',
      '--roster',
      `p1=127.0.0.1:${port}`,
      '--data-dir',
      join(dir, 'q'),
    ]);
    expect(taken).toMatchObject({
      code: 2,
      err: expect.stringContaining(`--listen: 127.0.0.1:${port} is taken`),
    });
    const inUse = await quorate([
      'peer',
      '--name',
      'p1',
      '--roster',
      'p1=127.0.0.1:1',
      '--data-dir',
      join(dir, 'p1'),
    ]);
    expect(inUse).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--data-dir: .* is in use by another process/),
    });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    for (const line of err.trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ name: 'p1', msg: expect.any(String) });
  });

  test('an observer forwards and does not vote', async () => {
    up = await Up.start(3);
    const port = await freePorts(1);
    const roster = [1, 2, 3].map((i) => `p${i}=127.0.0.1:${up!.port + i - 1}`).join(',');
    const args = ['peer', '--name', 'o1', '--observer', '--listen', `127.0.0.1:${port}`, '--roster', roster];
    const child = spawn(process.execPath, [MAIN, ...args, '--data-dir', join(dir, 'o1')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    try {
      await until('it is ready', () => out.startsWith('ready: o1 forwards at'));
      const url = `http://127.0.0.1:${port}`;
      expect(await lock(url, { scope: 'seen', action: 'lock' })).toMatchObject({
        status: 'locked',
        quorum: expect.stringMatching(/\/3 nodes/),
      });
      const { peers } = (await (await fetch(`${url}/api/v1.0/peers`)).json()) as {
        peers: { name: string; role: string }[];
      };
      expect(peers.find(({ name }) => name === 'o1')).toMatchObject({ role: 'observer' });
    } finally {
      child.kill('SIGKILL');
    }
  });

  test.each([
    [['peer'], /--name NAME is missing/],
    [['peer', '--name', 'p9', '--roster', 'p1=127.0.0.1:1', '--data-dir', 'x'], /--roster: has no p9/],
    [['peer', '--name', 'p1', '--roster', 'p1', '--data-dir', 'x'], /--roster: "p1" has no address/],
    [
      ['peer', '--name', 'p1', '--roster', 'p1=10.0.0.1:1', '--data-dir', 'x'],
      /--listen 10\.0\.0\.1: .*no credentials.*--insecure/,
    ],
    [['peer', '--nonsense'], /unknown option '--nonsense'/],
    [['nonsense'], /unknown command 'nonsense'|too many arguments/],
    [[], /Usage: quorate/],
  ])('quorate %j ends with 2', async (args, why) => {
    const ran = await quorate(args);
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toMatch(why);
  });

  test.each([['--help'], ['--version'], ['up', '--help'], ['peer', '--help'], ['up', '--version']])(
    'quorate %s %s ends with 0',
    async (...args) => {
      const ran = await quorate(args.filter((arg) => typeof arg === 'string'));
      expect(ran).toMatchObject({ code: 0, err: '' });
      expect(ran.out).toMatch(/Usage: quorate|^\d+\.\d+\.\d+/);
    },
  );

  test('a port that something else holds is named by the environment variable too', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await until('it listens', () => server.listening);
    const { port } = server.address() as { port: number };
    const ran = await quorate(['up', '--data-dir', join(dir, 'x')], {
      QUORATE_PORT: String(port),
      QUORATE_PEERS: '1',
    });
    server.close();
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(`127.0.0.1:${port}, which p1 needs, is taken`);
  });
});
