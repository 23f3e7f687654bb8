/**
 * What the machine itself takes, measured beside the benchmark: one flush of 4 kB that grows a file, and one round
 * trip of a small message over a WebSocket between two processes.
 */
import { fork } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { median } from './stats.ts';

/** Milliseconds of one append and fdatasync, the median of many. */
export function flushMs(times = 500): number {
  const dir = mkdtempSync(join(tmpdir(), 'quorate-bench-'));
  const fd = openSync(join(dir, 'flush'), 'a');
  const page = Buffer.alloc(4096, 1);
  const took: number[] = [];
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    writeSync(fd, page);
    fdatasyncSync(fd);
    took.push(performance.now() - started);
  }
  closeSync(fd);
  rmSync(dir, { recursive: true });
  return median(took);
}

/** Milliseconds of one round trip of 100 bytes over a WebSocket to another process, the median of many. */
export async function roundTripMs(times = 2_000): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), ['echo'], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) =>
    child.once('message', (message) => resolve(Number(message))),
  );
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
  const took: number[] = [];
  const payload = Buffer.alloc(100, 1);
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    const back = new Promise((resolve) => socket.once('message', resolve));
    socket.send(payload);
    await back;
    took.push(performance.now() - started);
  }
  socket.close();
  child.kill();
  return median(took);
}

if (process.argv[2] === 'echo') {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  server.on('listening', () => process.send?.((server.address() as { port: number }).port));
  process.on('disconnect', () => process.exit());
}
