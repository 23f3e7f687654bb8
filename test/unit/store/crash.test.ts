/** Real processes on a real disk: what was acknowledged survives, and one process at a time has the directory. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GROUPS_AT } from '../../../src/store/segment.ts';
import { openStore } from '../../../src/store/store.ts';
import { ROUND_LIMITS, registersAfter } from './rounds.ts';
import { newDir, toyCodec } from './toy.ts';

let dir: string;
const children = new Set<ChildProcess>();
const SCRIPT = join(import.meta.dirname, 'child.ts');

/** Starts the committing child; `lines` grows while it runs. */
function start(
  firstRound: number,
  shell?: string,
  rounds = Number.POSITIVE_INFINITY,
): { child: ChildProcess; lines: string[]; ended: Promise<unknown> } {
  const command = [process.execPath, '--import', 'tsx', SCRIPT, dir, `${firstRound}`, `${rounds}`];
  const child =
    shell === undefined
      ? spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('/bin/sh', ['-c', shell, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout! });
  reader.on('line', (line) => lines.push(line));
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[code]]) => code);
  return { child, lines, ended };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('waited 15 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A commit that was under way may be there or not, but whole: at most one round more than acknowledged. */
async function verify(acknowledged: number, position: number): Promise<number> {
  const store = await openStore(dir, toyCodec, ROUND_LIMITS);
  try {
    const round = store.meta('round') as number;
    expect([acknowledged, acknowledged + 1]).toContain(round);
    expect(store.horizon).toBe(round);
    expect(store.position - position).toBe(round - acknowledged);
    const held = new Map(store.held());
    for (const [scope, register] of registersAfter(round)) {
      expect(store.read(scope)).toEqual(register);
      expect(held.has(scope)).toBe(register.held);
    }
    return round;
  } finally {
    await store.close();
  }
}

beforeEach(() => {
  dir = newDir();
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(dirname(dir), { recursive: true, force: true });
});

test('kill -9 in the middle of commits, and of what follows them, loses nothing that was acknowledged', {
  timeout: 60_000,
}, async () => {
  let round = 0;
  let boot = 0;
  const identities = new Set<string>();
  for (let life = 0; life < 6; life++) {
    const { child, lines, ended } = start(round + 1);
    await until(() => lines.length > 40 + life * 17);
    child.kill('SIGKILL');
    await ended;
    const [, bootText, identity] = lines[0]!.split(' ');
    identities.add(identity!);
    expect(Number(bootText)).toBeGreaterThan(boot);
    boot = Number(bootText);
    const [, position, acknowledged] = lines.at(-1)!.split(' ').map(Number);
    round = await verify(acknowledged!, position!);
  }
  expect(identities.size).toBe(1);
});

test('a second process is refused, until the first is gone however it died', async () => {
  const { child, lines, ended } = start(1);
  await until(() => lines.length > 3);
  const refused = openStore(dir, toyCodec, ROUND_LIMITS);
  await expect(refused).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  await expect(refused).rejects.toThrow(/votes is in use by another process: stop that peer/);
  child.kill('SIGKILL');
  await ended;
  const store = await openStore(dir, toyCodec, ROUND_LIMITS);
  await expect(openStore(dir, toyCodec, ROUND_LIMITS)).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  await store.close();
});

test.skipIf(process.platform === 'win32')(
  'once the shelf fails, every commit is refused',
  { timeout: 30_000 },
  async () => {
    // No file may grow beyond 1000 blocks, so the library's log fails with EFBIG, as a full disk does with ENOSPC.
    const { lines, ended } = start(1, 'trap "" XFSZ; ulimit -f 1000; exec "$0" "$@"');
    expect(await ended).toBe(7);
    const refused = lines.filter((line) => line.startsWith('refused'));
    expect(refused).toHaveLength(3);
    for (const line of refused)
      expect(line).toMatch(/^refused STORE_FAILED .*votes failed while writing votes: /);
    const acknowledged = lines.filter((line) => line.startsWith('commit'));
    expect(lines.slice(-3)).toEqual(refused);
    const [, position, round] = acknowledged.at(-1)!.split(' ').map(Number);
    expect(round).toBeGreaterThan(10);
    await verify(round!, position!);
  },
);

const ROUNDS = 30;
const traced = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/** What the trace tells, a call per line: strace tells a call that another thread's interrupts in two. */
function calls(trace: string): string[] {
  const begun = new Map<string, string>();
  const whole: string[] = [];
  for (const line of trace.split('\n')) {
    const [, pid, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (pid === undefined || rest === undefined) continue;
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (rest.endsWith('<unfinished ...>')) begun.set(pid, rest.slice(0, -'<unfinished ...>'.length));
    else whole.push(resumed === null ? rest : `${begun.get(pid) ?? ''}${resumed[1]}`);
  }
  return whole;
}

test.skipIf(!traced)(
  'each commit is written through to the disk before it is acknowledged',
  { timeout: 30_000 },
  async () => {
    expect(await start(1, undefined, 3).ended).toBe(0);
    const trace = join(dirname(dir), 'trace');
    const shell = `exec strace -f -y -e trace=openat,write,pwrite64 -o ${trace} "$0" "$@"`;
    const { lines, ended } = start(4, shell, ROUNDS);
    expect(await ended).toBe(0);
    expect(lines).toHaveLength(1 + ROUNDS);
    let written = 0;
    let acknowledged = 0;
    let opened = 0;
    for (const call of calls(readFileSync(trace, 'utf8'))) {
      if (/^openat\(.*segment-[ab]".*O_RDWR/.test(call)) {
        expect(call).toContain('O_DSYNC');
        opened++;
      }
      const [, bytes, at, count] =
        /^pwrite64\(.*votes\/segment-[ab]>, .*, (\d+), (\d+) *\) += (\d+)$/.exec(call) ?? [];
      if (Number(at) >= GROUPS_AT && bytes === count) written++;
      // Opening writes the last group once more: its flush may have been interrupted.
      if (!/"(open|commit) /.test(call)) continue;
      expect(written, `writes since the last acknowledgement, before ${call}`).toBe(1);
      acknowledged++;
      written = 0;
    }
    expect(opened).toBe(2);
    expect(acknowledged).toBe(1 + ROUNDS);
  },
);

test.skipIf(!traced)('after a write that failed, every commit is refused', { timeout: 30_000 }, async () => {
  // One thread does all writes, so that strace counts them together.
  const inject = 'strace -f -e trace=pwrite64 -e inject=pwrite64:error=EIO:when=60 -o /dev/null';
  const { lines, ended } = start(1, `UV_THREADPOOL_SIZE=1 exec ${inject} "$0" "$@"`);
  expect(await ended).toBe(7);
  const refused = lines.slice(-3);
  for (const line of refused) expect(line).toMatch(/^refused STORE_FAILED .*EIO/);
  const [kind, position, round] = lines.at(-4)!.split(' ');
  expect(kind).toBe('commit');
  await verify(Number(round), Number(position));
});

test.skipIf(!traced)(
  'a process that is killed in a call to the disk loses nothing',
  {
    timeout: 90_000,
  },
  async () => {
    let round = 0;
    let position = 0;
    // To the segments go pwrite64, to the library's log write and fdatasync; one thread, so that they are counted together.
    for (const [call, when] of [
      ['pwrite64', 20],
      ['pwrite64', 33],
      ['fdatasync', 6],
      ['fdatasync', 9],
      ['write', 40],
    ] as const) {
      const inject = `strace -f -e trace=${call} -e inject=${call}:signal=KILL:when=${when} -o /dev/null`;
      const { lines, ended } = start(round + 1, `UV_THREADPOOL_SIZE=1 exec ${inject} "$0" "$@"`);
      await ended;
      const last = lines.findLast((line) => line.startsWith('commit'));
      if (last !== undefined) [position, round] = last.split(' ').slice(1).map(Number) as [number, number];
      const found = await verify(round, position);
      position += found - round;
      round = found;
    }
    expect(round).toBeGreaterThan(20);
  },
);
