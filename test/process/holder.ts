/**
 * A process of its own that holds locks and works under them, to be killed or stopped: holders.ts starts it.
 * Always true: it asks its clock before each piece of work, and does none once the clock says that it may have lost;
 * what it says goes out at once, so that a kill takes back nothing.
 */
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { clock, countFrom } from './count.ts';
import type { HolderConfig } from './holders.ts';

const WORK_EVERY_MS = 20;

const { port, scopes, holder, beatMs, session, resource }: HolderConfig = JSON.parse(process.argv[2]!);
const ttlMs = 3 * beatMs;

let until = Number.NEGATIVE_INFINITY;
let token = 0;
let writing = false;
let sessionId: string | undefined;
const lockId = randomUUID();

function say(event: string, more: object = {}): void {
  writeSync(1, `${JSON.stringify({ event, at: clock(), ...more })}\n`);
}

async function post(to: number, path: string, body?: object) {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? {} : { headers, body: JSON.stringify(body) };
  const signal = AbortSignal.timeout(ttlMs);
  try {
    const response = await fetch(`http://127.0.0.1:${to}${path}`, { method: 'POST', signal, ...init });
    // biome-ignore lint/suspicious/noExplicitAny: whatever a peer answers
    return { status: response.status, body: (await response.json()) as any };
  } catch (error) {
    return { status: 0, body: { code: `no answer: ${error}` } };
  }
}

const lock = (body: object) => post(port, '/api/v1.0/lock', body);

async function acquire(): Promise<void> {
  if (session) {
    const sentAt = clock();
    sessionId = (await post(port, '/api/v1.0/sessions', { ttl: `${ttlMs}ms`, holder })).body.session;
    until = sentAt + ttlMs;
  }
  const life = sessionId === undefined ? { heartbeat: `${beatMs}ms` } : { session: sessionId };
  await Promise.all(
    scopes.map(async (scope) => {
      const id = scopes.length === 1 ? { lock_id: lockId } : {};
      const sentAt = clock();
      const { status, body } = await lock({ scope, action: 'lock', holder, timeout: 'none', ...life, ...id });
      if (status !== 200) throw new Error(`${scope}: ${status} ${JSON.stringify(body)}`);
      token = body.fencing_token;
      if (!session) until = countFrom(sentAt, body.waited_ms) + ttlMs;
    }),
  );
  say('held', { token, until });
}

function sendBeat() {
  return session
    ? post(port, `/api/v1.0/sessions/${sessionId}/heartbeat`)
    : lock({ scope: scopes[0], action: 'heartbeat', lock_id: lockId });
}

async function beat(): Promise<void> {
  const sentAt = clock();
  const { status, body } = await sendBeat();
  if (status === 200) until = Math.max(until, sentAt + ttlMs);
  say('beat', { status, code: body.code, until });
}

const write = (to: number) => post(to, '/', { token, writer: holder });

async function work(): Promise<void> {
  if (clock() >= until) {
    clearInterval(beats);
    clearInterval(works);
    say('lost', { until });
    const { status, body } = await sendBeat();
    say('told', { status, code: body.code, detail: body.detail });
    // What a holder does that does not ask its clock.
    if (resource !== null) say('late write', { status: (await write(resource)).status });
    process.exit(0);
  }
  if (resource === null || writing) return;
  writing = true;
  const { status } = await write(resource);
  writing = false;
  say('wrote', { status });
}

await acquire();
const beats = setInterval(() => void beat(), beatMs);
const works = setInterval(() => void work(), WORK_EVERY_MS);
