/**
 * Real peers in this process: the real core, a Map as its disk, the real clock, and links that a test may cut.
 * Flushes and frames take one turn of the event loop. Nothing is mocked: what the API is told is what such a mesh
 * tells it. Standing and liveness can be set, for the texts that depend on them.
 */
import { buildServer, type Server, type ServerOptions } from '../../../src/api/server.ts';
import { type Listener, Listeners } from '../../../src/mesh/listeners.ts';
import type { Done, MemberView, RequestOptions, RunningPeer, Standing } from '../../../src/mesh/types.ts';
import { promised, Waiting } from '../../../src/mesh/waiting.ts';
import type { Frame, Message } from '../../../src/peer/messages.ts';
import { Peer } from '../../../src/peer/peer.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';

export class SoloPeer implements RunningPeer {
  readonly name: string;
  readonly epoch = 1;
  readonly mesh = 'a-mesh';
  readonly voters: readonly string[];
  standing: Standing = { kind: 'voting' };
  /** Added to the real clock. */
  skipMs = 0;
  readonly disk = new Map<string, StoredRegister>();
  readonly asked: ClientRequest[] = [];
  private readonly peer: Peer;
  private readonly waiting = new Waiting((id) => {
    this.peer.abandon(this.now(), id);
    this.turn();
  });
  private readonly listeners = new Listeners((input) => {
    input();
    setImmediate(() => this.turn());
  });
  private flushing = false;
  private timer: NodeJS.Timeout | undefined;
  /** Where frames go; nowhere unless a test says so. */
  send: (to: number, frame: Frame) => void = () => {};

  /** @param voters all voters. @param me which of them this is. */
  constructor(voters: readonly string[] = ['p1'], me = 0) {
    this.voters = voters;
    this.name = voters[me]!;
    const config = {
      mesh: 'solo',
      epoch: 1,
      voters: this.voters,
      me,
      identity: `a${me}`,
      boot: 1,
      random: Math.random,
      wall: Date.now,
    };
    const start = { horizon: 0, read: (scope: string) => this.disk.get(scope), held: [] };
    this.peer = new Peer(config, start, this.now());
    this.listeners.enter(this.peer, true);
  }

  now(): number {
    return performance.now() + this.skipMs;
  }

  get hasQuorum(): boolean {
    return this.peer.hasQuorum;
  }

  /** Another voter looks alive, or not; it never answers. */
  liveness(voter: number, alive: boolean): void {
    this.peer.liveness(this.now(), voter, alive);
    this.turn();
  }

  /** Lets this much time pass for the peer. */
  skip(ms: number): void {
    this.skipMs += ms;
    this.peer.wake(this.now());
    this.turn();
  }

  ask(request: ClientRequest, timeoutMs: number, done: Done): number {
    this.asked.push(request);
    const id = this.waiting.open(done);
    this.peer.request(this.now(), id, request, timeoutMs);
    setImmediate(() => this.turn());
    return id;
  }

  abandon(id: number): void {
    this.waiting.abandon(id);
  }

  request(request: ClientRequest, options: RequestOptions): Promise<ClientReply> {
    return promised(this, request, options);
  }

  listen(scope: string, listener: Listener): () => void {
    return this.listeners.add(scope, listener);
  }

  /** It stops, or votes no more, as far as listeners are told. */
  endListening(): void {
    this.listeners.end();
  }

  held() {
    return this.peer.held();
  }

  members(): readonly MemberView[] {
    return this.voters.map((name, i) => ({
      name,
      address: `127.0.0.1:${20194 + i}`,
      role: 'voter',
      state: this.peer.isUp(i) ? 'alive' : 'dead',
      rttMs: name === this.name ? null : 0.25,
    }));
  }

  receive(from: number, frame: Frame): void {
    this.peer.receive(this.now(), from, frame);
    this.turn();
  }

  private turn(): void {
    for (const [to, frame] of this.peer.takeFrames()) this.send(to, frame);
    this.listeners.tell(this.peer.takeNews());
    for (const { id, reply } of this.peer.takeReplies()) this.waiting.settle(id, reply);
    if (!this.flushing && this.peer.hasWrites) {
      this.flushing = true;
      const batch = this.peer.takeWrites();
      setImmediate(() => {
        for (const [scope, { register }] of batch.registers) this.disk.set(scope, register);
        this.flushing = false;
        this.peer.flushed(this.now(), batch.number);
        this.turn();
      });
    }
    clearTimeout(this.timer);
    const { nextWake } = this.peer;
    if (nextWake === Number.POSITIVE_INFINITY) return;
    this.timer = setTimeout(
      () => {
        this.peer.wake(this.now());
        this.turn();
      },
      Math.min(Math.max(nextWake - this.now(), 1), 1e9),
    );
    this.timer.unref();
  }
}

/** Peers that hear each other. @param passes whether this message may go this way. */
export function mesh(
  count: number,
  passes: (from: number, to: number, message: Message) => boolean = () => true,
): SoloPeer[] {
  const names = Array.from({ length: count }, (_, i) => `p${i + 1}`);
  const peers = names.map((_, me) => new SoloPeer(names, me));
  for (const [from, peer] of peers.entries()) {
    peer.send = (to, frame) => {
      const messages = frame.messages.filter((message) => passes(from, to, message));
      if (messages.length > 0) setImmediate(() => peers[to]!.receive(from, { ...frame, messages }));
    };
    for (const to of names.keys()) peer.liveness(to, true);
  }
  return peers;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name
export type Json = Record<string, any>;

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly json: Json;
}

export interface House<P extends RunningPeer = SoloPeer> {
  readonly peer: P;
  readonly server: Server;
  /** POST /api/v1.0/lock. */
  lock(body: unknown, headers?: Record<string, string>): Promise<Answered>;
  get(url: string, headers?: Record<string, string>): Promise<Answered>;
  /** @param body JSON text, or what becomes it; undefined for none. */
  call(method: Method, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answered>;
  /** Errors that nobody planned for. */
  readonly bugs: unknown[];
  /** Locks that were released by force, as they were written down. */
  readonly forced: object[];
}

type Method = 'GET' | 'POST' | 'DELETE';

export async function house(options?: Partial<ServerOptions> & { peer?: SoloPeer }): Promise<House>;
export async function house<P extends RunningPeer>(
  options: Partial<ServerOptions> & { peer: P },
): Promise<House<P>>;
export async function house(
  options: Partial<ServerOptions> & { peer?: RunningPeer } = {},
): Promise<House<RunningPeer>> {
  const peer = options.peer ?? new SoloPeer();
  const bugs: unknown[] = [];
  const forced: object[] = [];
  const bug = (error: unknown) => bugs.push(error);
  const log = { warn: (data: object) => forced.push(data) };
  const server = await buildServer({ version: '0.0.0', host: '127.0.0.1', bug, log, ...options, peer });
  const call = async (method: Method, url: string, payload?: unknown, more: Record<string, string> = {}) => {
    const headers = { host: 'localhost:20194', ...more };
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const body = payload === undefined ? {} : { payload: text };
    const result = await server.app.inject({ method, url, headers, ...body });
    const json = result.payload.startsWith('{') ? JSON.parse(result.payload) : { text: result.payload };
    return { status: result.statusCode, headers: result.headers, json };
  };
  return {
    peer,
    server,
    bugs,
    forced,
    lock: (body, headers) => call('POST', '/api/v1.0/lock', body, headers),
    get: (url, headers) => call('GET', url, undefined, headers),
    call,
  };
}
