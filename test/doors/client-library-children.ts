/** Starts such processes (client-library-child.ts). Always true: after `stop` the process is gone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChildConfig } from './client-library-child.ts';
import { until } from './up.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCRIPT = fileURLToPath(new URL('client-library-child.ts', import.meta.url));

export class Child {
  // biome-ignore lint/suspicious/noExplicitAny: differs by event
  readonly said: any[] = [];
  code: number | null | undefined;
  private readonly process: ChildProcess;
  private err = '';

  constructor(config: ChildConfig) {
    const args = ['--import', 'tsx', SCRIPT, JSON.stringify(config)];
    this.process = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    this.process.stdout!.on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.said.push(JSON.parse(line));
    });
    this.process.stderr!.on('data', (chunk) => {
      this.err += chunk;
    });
    this.process.on('close', (code) => {
      this.code = code;
    });
  }

  async hear(event: string, ms?: number) {
    await until(
      `the process says ${event}`,
      () => {
        if (this.said.some((one) => one.event === event)) return true;
        if (this.code !== undefined) throw new Error(`it ended with ${this.code}: ${this.err}`);
        return false;
      },
      ms,
    );
    return this.said.find((one) => one.event === event);
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.code === undefined) this.process.kill('SIGKILL');
    await until('the process is gone', () => this.code !== undefined);
  }
}
