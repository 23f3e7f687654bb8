/**
 * The load of the benchmark, in a process of its own: clients that take and release locks over HTTP, each on one
 * kept-alive connection, one request at a time.
 * Started with: --ports 1,2,3 --clients N --ms N --names own|fresh; prints one line of JSON.
 */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    ports: { type: 'string', default: '' },
    clients: { type: 'string', default: '1' },
    ms: { type: 'string', default: '3000' },
    names: { type: 'string', default: 'own' },
  },
});
const ports = values.ports.split(',').map(Number);
const clients = Number(values.clients);
const runMs = Number(values.ms);

/** One request at a time on one connection; the answer's body is all that matters. */
class Connection {
  private readonly socket: Socket;
  private buffered = '';
  private answered: ((body: string) => void) | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => {
      this.buffered += chunk;
      this.parse();
    });
    this.socket.on('error', (error) => {
      throw error;
    });
  }

  private parse(): void {
    const end = this.buffered.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.buffered.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.buffered.length < end + 4 + length) return;
    const body = this.buffered.slice(end + 4, end + 4 + length);
    this.buffered = this.buffered.slice(end + 4 + length);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${head.split('\r\n')[0]} ${body}`);
    this.answered?.(body);
  }

  ask(body: string): Promise<string> {
    return new Promise((resolve) => {
      this.answered = resolve;
      this.socket.write(
        `POST /api/v1.0/lock HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

const latencies: number[] = [];
let pairs = 0;

async function client(index: number, until: number, counting: () => boolean): Promise<void> {
  const connection = new Connection(ports[index % ports.length]!);
  for (let turn = 0; performance.now() < until; turn++) {
    const scope = values.names === 'fresh' ? `bench/${process.pid}/${index}/${turn}` : `bench/${index}`;
    const started = performance.now();
    const answer = await connection.ask(`{"scope":"${scope}","action":"lock","timeout":"60s"}`);
    const took = performance.now() - started;
    const id = /"lock_id":"([^"]+)"/.exec(answer)?.[1];
    await connection.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
    if (!counting()) continue;
    pairs++;
    latencies.push(took);
  }
  connection.close();
}

const warmMs = Math.min(1_000, runMs / 2);
const start = performance.now() + warmMs;
const until = start + runMs;
process.stdout.write('warm\n');
const timer = setTimeout(() => process.stdout.write('start\n'), warmMs);
await Promise.all(
  Array.from({ length: clients }, (_, i) => client(i, until, () => performance.now() >= start)),
);
clearTimeout(timer);
latencies.sort((a, b) => a - b);
const at = (share: number) =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
const { user, system } = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({ pairs, p50: at(0.5), p99: at(0.99), cpuMs: (user + system) / 1000 })}\n`,
);
