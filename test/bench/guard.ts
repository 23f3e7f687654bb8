/**
 * Starts the processes of a run and sees to it that they end.
 * Always true: every process that was started or handed over here ends, and every directory that was made or handed
 * over is removed, even if this process dies without a word: a second process holds the list, and clears up once the
 * pipe to this one breaks.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startOf } from './proc.ts';

const KEEPER = fileURLToPath(new URL('guard-keeper.ts', import.meta.url));

export class Guard {
  /** Detached, for a Ctrl-C goes to the whole group of the terminal, and this one has work to do after it. */
  private readonly keeper = spawn(process.execPath, ['--import', 'tsx', KEEPER], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });

  /** Whether somebody wants all of it to stop: then what fails, fails because of that. */
  interrupted = false;

  constructor() {
    this.keeper.stdin.on('error', () => {
      console.error('bench: the process that clears up has died');
      process.exit(1);
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        console.error(`bench: ${signal}, stopping everything`);
        this.interrupted = true;
        void this.close().then(() => process.exit(1));
      });
    }
  }

  /** Sees to the end of a process. @param signal ends it in good order, its children included. */
  adopt(pid: number | undefined, signal: NodeJS.Signals = 'SIGTERM'): void {
    if (pid === undefined) throw new Error('a process could not be started');
    const start = startOf(pid);
    if (start !== '') this.keeper.stdin.write(`process ${pid} ${start} ${signal}\n`);
  }

  adoptDir(dir: string): void {
    this.keeper.stdin.write(`directory ${dir}\n`);
  }

  /** Away from the terminal's group: a Ctrl-C reaches it through the keeper only, in good order. */
  spawn(
    command: string,
    args: readonly string[],
    options: SpawnOptions,
    signal?: NodeJS.Signals,
  ): ChildProcess {
    const child = spawn(command, args, { ...options, detached: true });
    this.adopt(child.pid, signal);
    return child;
  }

  /** A new directory, on the disk that all temporary files are on. */
  makeDir(): string {
    const dir = mkdtempSync(join(tmpdir(), 'quorate-bench-'));
    this.adoptDir(dir);
    return dir;
  }

  /** Ends all and removes all. */
  close(): Promise<void> {
    const { keeper } = this;
    if (keeper.exitCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => keeper.once('exit', () => resolve()));
    keeper.stdin.end();
    return ended;
  }
}
