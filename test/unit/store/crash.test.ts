/** Real processes on a real disk: what was acknowledged survives, and one process at a time has the directory. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../../src/store/store.ts';
import { registersAfter } from './rounds.ts';
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
  const store = await openStore(dir, toyCodec);
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

test('kill -9 in the middle of commits loses nothing that was acknowledged', {
  timeout: 60_000,
}, async () => {
  let round = 0;
  let boot = 0;
  const identities = new Set<string>();
  for (let life = 0; life < 4; life++) {
    const { child, lines, ended } = start(round + 1);
    await until(() => lines.length > 40 + life * 37);
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
  const refused = openStore(dir, toyCodec);
  await expect(refused).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  await expect(refused).rejects.toThrow(/votes is in use by another process: stop that peer/);
  child.kill('SIGKILL');
  await ended;
  const store = await openStore(dir, toyCodec);
  await expect(openStore(dir, toyCodec)).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  await store.close();
});

test.skipIf(process.platform === 'win32')(
  'after a write that the disk refused, every commit is refused',
  { timeout: 30_000 },
  async () => {
    // No file may grow beyond 1000 blocks, so the log's next write fails with EFBIG, as a full disk does with ENOSPC.
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

test.skipIf(!traced)(
  'each commit reaches fdatasync before it is acknowledged',
  { timeout: 30_000 },
  async () => {
    const trace = join(dirname(dir), 'trace');
    const shell = `exec strace -f -y -e trace=write,fdatasync -o ${trace} "$0" "$@"`;
    const { lines, ended } = start(1, shell, ROUNDS);
    expect(await ended).toBe(0);
    expect(lines).toHaveLength(1 + ROUNDS);
    let flushes = 0;
    let acknowledged = 0;
    for (const line of readFileSync(trace, 'utf8').split('\n')) {
      // A call that another thread's interrupts is told in two lines; only the second has the result.
      if (/(?:fdatasync\(\d+<[^>]*votes\/\d+\.log>\)|<\.\.\. fdatasync resumed>\)) += 0$/.test(line))
        flushes += 1;
      if (!line.includes('"commit ')) continue;
      expect(flushes, `flushes since the last acknowledgement, before ${line}`).toBeGreaterThan(0);
      acknowledged += 1;
      flushes = 0;
    }
    expect(acknowledged).toBe(ROUNDS);
  },
);

test.skipIf(!traced)('after a failed flush, every commit is refused', { timeout: 30_000 }, async () => {
  // One thread does all flushes, so that strace counts them together.
  const inject = 'strace -f -e trace=fdatasync -e inject=fdatasync:error=EIO:when=20 -o /dev/null';
  const { lines, ended } = start(1, `UV_THREADPOOL_SIZE=1 exec ${inject} "$0" "$@"`);
  expect(await ended).toBe(7);
  const refused = lines.slice(-3);
  for (const line of refused) expect(line).toMatch(/^refused STORE_FAILED .*Input\/output error/);
  const [kind, position, round] = lines.at(-4)!.split(' ');
  expect(kind).toBe('commit');
  await verify(Number(round), Number(position));
});
