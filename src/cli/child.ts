/**
 * One peer process that is kept running.
 * Always true: at most one process of it runs; one that ends unasked is started again, after a pause that doubles
 * while it does not last; once stopped it is never started again. It runs in a process group of its own, so that a
 * Ctrl-C reaches only its parent, which ends it in order; a parent that is killed takes it along (it watches the
 * channel between them).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';

const PAUSE_LEAST_MS = 250;
const PAUSE_MOST_MS = 10_000;
/** A process that ran for so long has lasted: the next pause is short again. */
const LASTED_MS = 30_000;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const TAIL_BYTES = 4_096;

export interface ChildEvents {
  /** It has started, as this process. */
  started(pid: number, again: boolean): void;
  /** A line of its stdout. */
  said(line: string): void;
  /** It ended unasked; it starts again after the pause. @param last its last words, if it had any. */
  ended(why: string, code: number | null, last: string, pauseMs: number): void;
}

export class Child {
  readonly name: string;
  private readonly args: readonly string[];
  private readonly log: string;
  private readonly endMs: number;
  private readonly events: ChildEvents;
  private process: ChildProcess | undefined;
  /** Before the next start, if the process does not last. */
  private pauseMs = PAUSE_LEAST_MS;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private starts = 0;

  /** @param args what `node` is given. @param log takes its stderr. @param endMs how long it may take to end when asked. */
  constructor(name: string, args: readonly string[], log: string, endMs: number, events: ChildEvents) {
    this.name = name;
    this.args = args;
    this.log = log;
    this.endMs = endMs;
    this.events = events;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  start(): void {
    if (this.stopped) return;
    if (existsSync(this.log) && statSync(this.log).size > LOG_BYTES_MAX)
      renameSync(this.log, `${this.log}.1`);
    const log = openSync(this.log, 'a');
    const began = performance.now();
    const child = spawn(process.execPath, this.args, {
      stdio: ['ignore', 'pipe', log, 'ipc'],
      detached: true,
      env: ownEnvironment(),
    });
    closeSync(log);
    this.process = child;
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => this.events.said(line));
    child.once('error', (error) => this.onEnd(began, error.message, null));
    child.once('exit', (code, signal) => {
      this.onEnd(began, signal === null ? `ended with ${code}` : `was ended by ${signal}`, code);
    });
    if (child.pid !== undefined) this.events.started(child.pid, this.starts++ > 0);
  }

  private onEnd(began: number, why: string, code: number | null): void {
    if (this.process === undefined) return; // told already
    this.process = undefined;
    if (this.stopped) return;
    const lasted = performance.now() - began > LASTED_MS;
    const pauseMs = lasted ? PAUSE_LEAST_MS : this.pauseMs;
    this.pauseMs = Math.min(pauseMs * 2, PAUSE_MOST_MS);
    this.timer = setTimeout(() => this.start(), pauseMs);
    this.events.ended(why, code, lastLine(this.log), pauseMs);
  }

  /** Asks it to end, and waits; ends it by force if that takes too long. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const { process: child } = this;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.endMs);
    await ended;
    clearTimeout(timer);
  }

  /** Ends it without waiting. */
  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.process?.kill('SIGKILL');
  }
}

/** A peer is told everything by flags: what was set for `up` is not meant for it. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('QUORATE_')));
}

/** The last line that was meant for people: not one of the log. */
function lastLine(file: string): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
      readSync(fd, bytes, 0, bytes.length, size - bytes.length);
      const line = bytes.toString('utf8').trimEnd().split('\n').at(-1) ?? '';
      return line.startsWith('{') ? '' : line;
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
