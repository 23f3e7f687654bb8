/**
 * Runs one peer on the real clock, real links and a real disk.
 * Always true: every input goes to the pure peer at once, in the order in which it came; its outputs are taken once per
 * turn of the event loop: replies, then one frame for each peer, then at most one flush, and what comes during that
 * flush goes into the next. Heartbeats of sessions wait a little for others. After a failed flush nothing is
 * acknowledged any more. No promise per message, nor per client request that is asked with `ask`.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Counts } from '../peer/formation.ts';
import type { Frame } from '../peer/messages.ts';
import { Peer } from '../peer/peer.ts';
import type { ClientReply, ClientRequest } from '../peer/request.ts';
import { indexOf, namesOf, sortedNames } from '../peer/roster.ts';
import type { Register } from '../vote/acceptor.ts';
import { isCalm, isCalmFrame } from './calm.ts';
import { type Disk, type Flight, Flusher } from './flusher.ts';
import type { Link, LinkCounters } from './link.ts';
import { Links } from './links.ts';
import { type Listener, Listeners } from './listeners.ts';
import type { Log } from './log.ts';
import { Membership } from './membership.ts';
import { ROSTER_KEY, SEEN_KEY, seenFromMeta, storedFromMeta } from './memory.ts';
import { standingOf, textOf } from './standing.ts';
import { Tidy } from './tidy.ts';
import { Turns } from './turns.ts';
import type { Done, MemberView, RequestOptions, RunningPeer, Standing } from './types.ts';
import { promised, Waiting } from './waiting.ts';
import { Watch } from './watch.ts';

export interface RunnerConfig {
  readonly name: string;
  /** HOST:PORT under which the other peers reach this one. */
  readonly address: string;
  /** What --roster says: the voters' names and addresses. */
  readonly roster: ReadonlyMap<string, string>;
  readonly observer: boolean;
  readonly disk: Disk;
  readonly log: Log;
  /** This peer can't go on: says why and ends the process. It acknowledges nothing any more. */
  readonly fatal: (error: unknown) => void;
  /** Told when the standing has changed. */
  readonly onStanding?: (standing: Standing) => void;
}

export interface Counters extends LinkCounters {
  /** Client requests. */
  commands: number;
  flushes: number;
  registersFlushed: number;
  turns: number;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Runner implements RunningPeer {
  readonly name: string;
  private readonly config: RunnerConfig;
  private readonly disk: Disk;
  private readonly links: Links;
  private readonly membership: Membership;
  private readonly watch: Watch;
  private readonly configured: readonly string[];
  private peer: Peer | undefined;
  private names: readonly string[];

  private readonly waiting = new Waiting((id) =>
    this.attempt(() => this.peer?.abandon(performance.now(), id)),
  );
  private readonly listeners = new Listeners((input) => this.attempt(input));
  private readonly flusher: Flusher;
  private readonly turns = new Turns(() => this.turn());
  private readonly tidy = new Tidy();
  private timer: NodeJS.Timeout | undefined;
  private timerAt = NEVER;
  private ended = false;
  private changes = 0;
  private told = '';
  private commands = 0;
  private turnCount = 0;

  constructor(config: RunnerConfig) {
    this.config = config;
    this.name = config.name;
    this.disk = config.disk;
    this.configured = sortedNames(config.roster.keys());
    this.names = this.configured;
    const { name, address, observer, disk, log } = config;
    const now = () => performance.now();
    const position = () => disk.position;
    const random = Math.random;
    this.watch = new Watch(now, Date.now, (ms) => this.stoodStill(ms));
    const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
    const { identity, boot } = disk;
    this.flusher = new Flusher(disk, this.watch, this.onFlushed, (error) => this.die(error));
    const about = { name, identity, boot, address, observer, configured: this.configured };
    this.membership = new Membership(
      { ...about, addresses: config.roster, hash, random, log },
      seenFromMeta(disk.meta(SEEN_KEY)),
      {
        now,
        position,
        links: () => this.links.up(),
        dial: (names) => this.links.dial(names),
        announce: () => this.links.announce(),
        store: (stored) => {
          this.flusher.store(stored);
          this.turns.schedule();
        },
        counts: (counts) => this.enter(counts),
        liveness: (voter, alive) => this.peer?.liveness(performance.now(), voter, alive),
      },
    );
    const runner = this;
    this.links = new Links({
      identity,
      random,
      log,
      now,
      position,
      get mesh() {
        return runner.membership.counts?.mesh ?? '';
      },
      get epoch() {
        return runner.membership.counts?.roster.epoch ?? 0;
      },
      stalled: () => this.watch.check(),
      helloTo: (lost) => this.membership.helloTo(lost),
      addressesOf: (peer) => this.membership.addressesOf(peer),
      up: (link) => this.attempt(() => this.membership.up(link)),
      again: (link) => this.attempt(() => this.membership.again(link)),
      down: (link, last) => this.attempt(() => this.membership.down(link, last)),
      onControl: (link, control) => this.attempt(() => this.membership.onControl(link, control)),
      onFrame: (link, frame) => this.receive(link, frame),
    });
  }

  /** Starts to dial, and to vote if the disk says that this peer does. */
  start(): void {
    this.watch.start();
    this.links.start();
    this.membership.start(storedFromMeta(this.disk.meta(ROSTER_KEY)));
    this.turns.schedule();
  }

  /** For the HTTP server's `upgrade` events. */
  readonly handleUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.links.handleUpgrade(req, socket, head);
  };

  /** Leaves the mesh: ends all links, and waits for the flush that is under way. The disk stays open. */
  async stop(): Promise<void> {
    if (!this.ended) {
      this.membership.leave();
      this.end();
      this.waiting.settleAll();
    }
    await this.flusher.idle();
  }

  private end(): void {
    this.ended = true;
    this.watch.stop();
    clearTimeout(this.timer);
    this.turns.stop();
    this.tidy.stop();
    this.links.stop();
    this.listeners.end();
  }

  // --- inputs ---

  ask(request: ClientRequest, timeoutMs: number, done: Done): number {
    const { peer, waiting, ended } = this;
    this.commands++;
    // Before it is asked: what a peer that fails just now leaves open is unknown, like all the rest.
    const id = waiting.open(done);
    if (ended || peer === undefined) {
      const missing = ended ? [] : this.unheard();
      setImmediate(() => waiting.settle(id, { kind: 'no_quorum', missing }));
      return id;
    }
    try {
      peer.request(performance.now(), id, request, timeoutMs);
    } catch (error) {
      this.die(error);
    }
    if (isCalm(request)) this.turns.scheduleSoon();
    else this.turns.schedule();
    return id;
  }

  abandon(id: number): void {
    this.waiting.abandon(id);
  }

  readonly listen = (scope: string, listener: Listener) => this.listeners.add(scope, listener);

  request(request: ClientRequest, options: RequestOptions): Promise<ClientReply> {
    return promised(this, request, options);
  }

  private receive(link: Link, frame: Frame): void {
    try {
      this.peer?.receive(performance.now(), link.place, frame);
    } catch (error) {
      this.die(error);
    }
    if (isCalmFrame(frame, this.turns.gathering)) this.turns.scheduleSoon();
    else this.turns.schedule();
  }

  /** For inputs that are rare. */
  private attempt(input: () => void): void {
    if (this.ended) return;
    try {
      input();
    } catch (error) {
      this.die(error);
    }
    this.turns.schedule();
  }

  private readonly onTimer = (): void => {
    this.timerAt = NEVER;
    this.attempt(() => {
      if (this.watch.check()) return;
      const now = performance.now();
      if (this.membership.nextWake <= now) this.membership.tick();
      if (this.peer !== undefined && this.peer.nextWake <= now) {
        this.peer.wake(now);
        this.tidy.look(this.peer.frozen);
      }
    });
  };

  private stoodStill(ms: number): void {
    const reason = `this process stood still for ${Math.round(ms)} ms`;
    this.config.log.warn({ ms: Math.round(ms) }, `${reason}: dropping all links`);
    this.links.dropAll(reason);
  }

  // --- one turn ---

  private turn(): void {
    this.turnCount++;
    const { peer } = this;
    try {
      if (peer !== undefined) {
        for (const { id, reply } of peer.takeReplies()) this.waiting.settle(id, reply);
        this.listeners.tell(peer.takeNews());
        for (const [to, frame] of peer.takeFrames()) this.ship(to, frame);
      }
      this.flusher.flush(peer, this.takeSeen);
      this.noteStanding();
    } catch (error) {
      this.die(error);
      return;
    }
    this.arm();
  }

  private ship(to: number, frame: Frame): void {
    const link = this.membership.linkAt(to);
    if (link === undefined) this.links.counters.dropped += frame.messages.length;
    else link.sendFrame(frame);
  }

  private arm(): void {
    const at = Math.min(this.peer?.nextWake ?? NEVER, this.membership.nextWake);
    if (at >= this.timerAt) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(this.onTimer, Math.max(0, Math.ceil(at - performance.now())));
  }

  private readonly takeSeen = () => this.membership.takeSeen();

  private readonly onFlushed = ({ peer, batch, roster }: Flight): void => {
    if (this.ended) return;
    try {
      if (roster) this.membership.flushed();
      if (peer !== undefined && peer === this.peer) peer.flushed(performance.now(), batch);
    } catch (error) {
      this.die(error);
    }
    this.turns.schedule();
  };

  private die(error: unknown): void {
    if (this.ended) return;
    this.end();
    // Later: this may be in the middle of an `ask`, whose caller does not know its number yet.
    setImmediate(() => this.waiting.settleAll());
    this.links.dropAll('this peer has failed');
    this.config.fatal(error);
  }

  // --- the mesh ---

  private enter({ mesh, roster, votes }: Counts): void {
    const { disk, name } = this;
    this.names = namesOf(roster);
    const config = {
      mesh,
      epoch: roster.epoch,
      voters: this.names,
      me: votes ? indexOf(roster, name) : -1,
      identity: disk.identity,
      boot: disk.boot,
      random: Math.random,
      wall: Date.now,
    };
    const start = { horizon: disk.horizon, read: (scope: string) => disk.read(scope), held: disk.held() };
    this.peer = new Peer(config, votes ? start : undefined, performance.now());
    this.listeners.enter(this.peer, votes);
    // Not before: who is told so may ask again at once, and must be heard by the new one.
    this.waiting.settleAll();
    this.turns.schedule();
  }

  private noteStanding(): void {
    if (this.membership.changes === this.changes) return;
    this.changes = this.membership.changes;
    const { view } = this.membership;
    const text = `${textOf(view)} ${view.problems.map((problem) => problem.text).join('; ')}`.trim();
    if (text === this.told) return;
    this.told = text;
    const refused = view.kind === 'refused' || view.problems.length > 0;
    this.config.log[refused ? 'warn' : 'info']({ standing: view.kind }, text);
    this.config.onStanding?.(this.standing);
  }

  // --- looking ---

  get standing(): Standing {
    return standingOf(this.membership.view);
  }

  get mesh(): string {
    return this.membership.counts?.mesh ?? '';
  }

  get epoch(): number {
    return this.membership.counts?.roster.epoch ?? 0;
  }

  get voters(): readonly string[] {
    return this.names;
  }

  get hasQuorum(): boolean {
    return this.peer?.hasQuorum ?? false;
  }

  /** Scopes in memory, and requests that wait for their vote. */
  get sizes(): { readonly scopes: number; readonly requests: number } {
    return this.peer?.sizes ?? { scopes: 0, requests: 0 };
  }

  get counters(): Readonly<Counters> {
    const { commands, turnCount: turns, flusher } = this;
    const { flushes, registers } = flusher;
    return { ...this.links.counters, commands, turns, flushes, registersFlushed: registers };
  }

  private unheard(): number[] {
    const { standing, names } = this;
    if (standing.kind !== 'forming') return names.map((_, i) => i);
    return standing.missing.map((name) => names.indexOf(name)).filter((i) => i >= 0);
  }

  /** Links that are up. */
  get linkCount(): number {
    return this.links.count;
  }

  held(): Iterable<readonly [scope: string, register: Register]> {
    return this.peer?.held() ?? [];
  }

  now(): number {
    return performance.now();
  }

  members(): readonly MemberView[] {
    return this.membership.members();
  }
}
