/**
 * Opens many sessions and gives each a heartbeat as often as asked, evenly spread over time, through the peer that is
 * the home of the session, as the client library does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SESSION_SCOPE_PREFIX } from '../../../src/lock/plain.ts';
import type { SessionId } from '../../../src/lock/state.ts';
import { hashText, lineOf } from '../../../src/peer/placement.ts';
import { Speaker } from '../speaker.ts';
import { countFor, readOptions, report } from './window.ts';

export interface BeatsOptions {
  readonly ports: readonly number[];
  readonly sessions: number;
  /** Over how many connections: one for each session, or few that sessions share. */
  readonly connections: number;
  readonly everyMs: number;
  readonly warmMs: number;
  readonly ms: number;
}

/** Of a session. Heartbeats begin only once all sessions are open. */
const TTL_MS = 120_000;
/** So much is under way at a time before the start. */
const WAVE = 100;

const { ports, sessions, connections, everyMs, warmMs, ms } = readOptions<BeatsOptions>();
let counting = false;
let count = 0;
let refused = 0;
let over = false;

/** Does it for each, not all at once. */
async function inWaves<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: WAVE }, worker));
}

const guides = await Promise.all(ports.map((port) => Speaker.open(`127.0.0.1:${port}`)));
const voters = guides[0]!.welcome.peers.filter(({ role }) => role === 'voter');
const hashes = voters.map(({ name }) => hashText(name));

async function openSession(index: number): Promise<SessionId> {
  const guide = guides[index % guides.length]!;
  const answer = await guide.ask({ kind: 'open', ttlMs: TTL_MS, holder: `bench-${index}` });
  if (answer.kind !== 'session') throw new Error(`no session was opened: ${JSON.stringify(answer)}`);
  return answer.session;
}

interface Beaten {
  readonly session: SessionId;
  readonly address: string;
}

const beaten: Beaten[] = [];
await inWaves(new Array<undefined>(sessions).fill(undefined), async (_, index) => {
  const session = await openSession(index);
  const [home] = lineOf(SESSION_SCOPE_PREFIX + session, hashes);
  beaten.push({ session, address: voters[home!]!.address });
});

/** Sessions of one home share connections. */
const perConnection = Math.ceil(sessions / connections);
const shares: Beaten[][] = [];
for (const { address } of voters) {
  const here = beaten.filter((one) => one.address === address);
  for (let i = 0; i < here.length; i += perConnection) shares.push(here.slice(i, i + perConnection));
}
const speakers = new Array<Speaker>(shares.length);
await inWaves(shares, async (share, i) => {
  speakers[i] = await Speaker.open(share[0]!.address);
});

async function beat(speaker: Speaker, share: readonly Beaten[], offsetMs: number): Promise<void> {
  const gapMs = everyMs / share.length;
  const began = performance.now() + offsetMs;
  for (let turn = 0; !over; turn++) {
    const early = began + turn * gapMs - performance.now();
    if (early > 1) await sleep(early);
    const { session } = share[turn % share.length]!;
    const answer = await speaker.ask({ kind: 'beat', session, list: true });
    if (!counting) continue;
    if (answer.kind === 'session') count++;
    else refused++;
  }
}

const running = shares.map((share, i) => beat(speakers[i]!, share, (i / shares.length) * everyMs));
await sleep(everyMs + warmMs);
const span = await countFor(async () => {
  counting = true;
  await sleep(ms);
  counting = false;
});
await report({ ...span, count, refused, connections: shares.length });
over = true;
await Promise.all(running);
for (const speaker of [...guides, ...speakers]) speaker.close();
