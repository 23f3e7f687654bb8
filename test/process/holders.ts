/**
 * Starts holders as processes of their own (holder.ts), and reads what they say.
 * Always true: after `stop` the process is gone, stopped or not.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from './cluster.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCRIPT = fileURLToPath(new URL('holder.ts', import.meta.url));

export interface HolderConfig {
  /** Of the peer that it asks. */
  readonly port: number;
  readonly scopes: readonly string[];
  readonly holder: string;
  /** It counts as dead three times that after its last heartbeat. */
  readonly beatMs: number;
  /** One session for all scopes; else one scope with a heartbeat of its own. */
  readonly session: boolean;
  /** Port of the guarded resource that it writes to. */
  readonly resource: number | null;
}

export interface Said {
  readonly event: string;
  /** When, by the machine's monotonic clock. */
  readonly at: number;
  // biome-ignore lint/suspicious/noExplicitAny: differs by event
  readonly [more: string]: any;
}

export class Holder {
  readonly said: Said[] = [];
  private readonly child: ChildProcess;
  private err = '';
  private ended = false;

  private constructor(config: HolderConfig) {
    const args = ['--import', 'tsx', SCRIPT, JSON.stringify(config)];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let rest = '';
    child.stdout.on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.said.push(JSON.parse(line));
    });
    child.stderr.on('data', (chunk) => {
      this.err += chunk;
    });
    child.on('close', () => {
      this.ended = true;
    });
  }

  /** Resolves once it holds and has sent three heartbeats. */
  static async start(config: HolderConfig): Promise<Holder> {
    const holder = new Holder(config);
    await holder.hear('held');
    await until('it beats', () => holder.said.filter(({ event }) => event === 'beat').length >= 3);
    return holder;
  }

  /** The first that it says of this kind. */
  async hear(event: string, ms = 20_000): Promise<Said> {
    const found = () => this.said.find((one) => one.event === event);
    await until(
      `the holder says ${event}`,
      () => {
        if (found() === undefined && this.ended) throw new Error(`it ended: ${this.err}`);
        return found() !== undefined;
      },
      ms,
    );
    return found()!;
  }

  /** Until when it counted on what it holds, as it last said. */
  get until(): number {
    return this.said.findLast((one) => one.until !== undefined)!.until;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async stop(): Promise<void> {
    if (!this.ended) this.child.kill('SIGKILL');
    await until('the holder ended', () => this.ended);
  }
}
