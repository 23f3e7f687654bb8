/**
 * One machine of a run: its clock, its disk, and the peer process that runs on it, or does not.
 * A turn of the real event loop is modelled: inputs are stepped as they come; frames, writes and answers leave at
 * the end of the turn, one flush at a time; a crash loses what had not left and what was not flushed.
 */

import { evolveAll } from '../../src/lock/event.ts';
import { isFree } from '../../src/lock/state.ts';
import type { Frame } from '../../src/peer/messages.ts';
import { Peer, type PeerConfig } from '../../src/peer/peer.ts';
import type { ClientReply, ClientRequest } from '../../src/peer/request.ts';
import type { Batch } from '../../src/peer/writes.ts';
import type { RegisterWrite, StoredRegister } from '../../src/vote/acceptor.ts';
import { sameBallot } from '../../src/vote/ballot.ts';
import { sameState } from './chain.ts';
import { Violation } from './journal.ts';
import type { Rules } from './rules.ts';
import type { World } from './world.ts';

interface Accepted {
  readonly scope: string;
  readonly ballot: StoredRegister['ballot'];
  readonly version: number;
}

/** What survives a crash. */
interface Disk {
  registers: Map<string, StoredRegister>;
  horizon: number;
  bootCounter: number;
  identity: string;
  /** Whether the roster is stored: without one a peer does not vote (M1). */
  roster: boolean;
}

export class Machine {
  readonly index: number;
  peer: Peer | undefined;
  disk: Disk;
  paused = false;
  /** Flushes take this many times as long as usual. */
  slowness = 1;
  private readonly world: World;
  private readonly rate: number;
  private offset: number;
  /** Grows with each crash. */
  life = 0;
  private turnDue = false;
  private flushing = false;
  private wakeAt = Number.POSITIVE_INFINITY;
  private pausedSince = 0;
  private held: { readonly run: () => void; readonly fromLink: boolean }[] = [];
  private taken: Accepted[] = [];
  private requests = new Map<
    number,
    { request: ClientRequest; since: number; tell: (reply: ClientReply) => void }
  >();
  private nextRequest = 1;

  constructor(world: World, index: number) {
    this.world = world;
    this.index = index;
    const { random, options } = world;
    const wild = index === 0 && options.wildClock !== 0;
    this.rate = wild ? options.wildClock : 1 + random.between(-options.drift, options.drift);
    this.offset = random.between(0, 1e6);
    this.disk = this.emptyDisk(true);
  }

  private emptyDisk(roster: boolean): Disk {
    const identity = Math.floor(this.world.random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
    return { registers: new Map(), horizon: 0, bootCounter: 0, identity, roster };
  }

  /** This machine's monotonic clock. */
  now(): number {
    return this.offset + this.world.time.now * this.rate;
  }

  boot(): void {
    const { world, disk } = this;
    disk.bootCounter++;
    const boot = disk.bootCounter * 2 ** 20 + world.random.below(2 ** 20);
    const votes = disk.roster || world.rules.votesWithoutRoster;
    const rules = this.watchedRules(world.rules);
    const config: PeerConfig = {
      mesh: 'sim',
      epoch: 1,
      voters: world.names,
      me: votes ? this.index : -1,
      identity: disk.identity,
      boot,
      random: () => world.random.next(),
      wall: () => Math.floor(world.time.now),
      rules,
    };
    const held = [...disk.registers].filter(([, stored]) => !isFree(stored.state));
    const read = (scope: string) => disk.registers.get(scope);
    this.peer = new Peer(config, votes ? { horizon: disk.horizon, read, held } : undefined, this.now());
    this.taken = [];
    this.startWatches(votes);
    this.world.journal.note(
      'boot',
      this.index,
      disk.bootCounter,
      () => `p${this.index} boot ${disk.bootCounter}${votes ? '' : ' (does not vote)'}`,
    );
    for (let i = 0; i < world.options.voters; i++) {
      if (i !== this.index) this.peer.liveness(this.now(), i, world.looksAlive(this.index, i));
    }
    this.turn();
  }

  /** The peer's own rules, and a note of each promise and acceptance. */
  private watchedRules(rules: Rules): Rules {
    const { chains } = this.world;
    return {
      ...rules,
      promised: (scope, register, ballot, flushed) => {
        chains.promised(scope, this.index, ballot);
        return rules.promised(scope, register, ballot, flushed);
      },
      mayAnswer: (scope, register, flushed) => {
        const { ballot, version, state } = register;
        chains.accepted(scope, this.index, ballot, version, state);
        if (!flushed) this.taken.push({ scope, ballot, version });
        return rules.mayAnswer(scope, register, flushed);
      },
    };
  }

  private startWatches(votes: boolean): void {
    const { told, scopes, random, options } = this.world;
    for (const scope of scopes) {
      told.stopped(this.index, scope);
      if (votes && options.watches > 0 && random.chance(options.watches)) this.watch(scope);
    }
  }

  private watch(scope: string): void {
    this.world.told.started(this.index, scope);
    this.peer!.watch(this.now(), scope);
  }

  /** Whoever watched the scope here is gone, and somebody else watches it; or one more does. */
  watchAnew(scope: string): void {
    const { told, random } = this.world;
    const isGone = random.chance(0.5);
    if (this.peer === undefined || this.peer.config.me < 0) return;
    this.step(() => {
      if (isGone) this.peer!.unwatch(scope);
      if (isGone || !told.isWatching(this.index, scope)) this.watch(scope);
      else this.peer!.watch(this.now(), scope);
    });
  }

  get running(): boolean {
    return this.peer !== undefined;
  }

  crash(): void {
    if (this.peer === undefined) return;
    this.world.journal.note('crash', this.index, 0, () => `p${this.index}`);
    this.life++;
    this.peer = undefined;
    this.paused = false;
    this.held = [];
    this.turnDue = false;
    this.flushing = false;
    this.wakeAt = Number.POSITIVE_INFINITY;
    this.requests.clear();
    this.offset = this.world.random.between(0, 1e6);
  }

  /** The disk is replaced by an empty one; the roster is not on it. */
  wipe(): void {
    this.crash();
    this.disk = this.emptyDisk(false);
    this.world.journal.note('wipe', this.index, 0, () => `p${this.index}`);
  }

  pause(): void {
    this.paused = true;
    this.pausedSince = this.world.time.now;
  }

  /** V9: a loop that stood still for long drops what its links had buffered. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    const waiting = this.held;
    this.held = [];
    const stale = this.world.time.now - this.pausedSince > 2_000;
    for (const { run, fromLink } of waiting) if (!fromLink || !stale) run();
  }

  receive(from: number, frame: Frame): void {
    this.step(() => this.peer!.receive(this.now(), from, frame), true);
  }

  /** A client's request. `tell` is called at most once. @returns what the client's hanging up does here. */
  request(request: ClientRequest, timeoutMs: number, tell: (reply: ClientReply) => void): () => void {
    const { life } = this;
    const id = this.nextRequest++;
    const since = this.world.time.now;
    this.step(() => {
      this.requests.set(id, { request, since, tell });
      this.peer!.request(this.now(), id, request, timeoutMs);
    });
    return () => {
      if (life !== this.life) return;
      this.step(() => {
        this.requests.delete(id);
        this.peer!.abandon(this.now(), id);
      });
    };
  }

  /** Whether a request here that its client has not given up is about this lock id. */
  isAskedFor(lockId: string): boolean {
    for (const { request } of this.requests.values()) {
      if ('lockId' in request && request.lockId === lockId) return true;
    }
    return false;
  }

  liveness(voter: number, alive: boolean): void {
    if (this.peer === undefined || this.paused) return;
    this.step(() => this.peer!.liveness(this.now(), voter, alive));
  }

  forgetFree(): number {
    if (this.peer === undefined || this.paused) return 0;
    Reflect.set(Reflect.get(this.peer, 'voter') ?? {}, 'nextQuestion', 1);
    return this.peer.forgetFree();
  }

  private step(input: () => void, fromLink = false): void {
    if (this.peer === undefined) return;
    const run = () => {
      input();
      this.turn();
    };
    if (this.paused) this.held.push({ run, fromLink });
    else run();
  }

  private later(ms: number, run: () => void): void {
    const { life } = this;
    this.world.time.after(ms, () => {
      if (life !== this.life) return;
      if (this.paused) this.held.push({ run, fromLink: false });
      else run();
    });
  }

  private turn(): void {
    if (this.turnDue) return;
    this.turnDue = true;
    this.later(this.world.random.next() * 0.1, () => {
      this.turnDue = false;
      this.endTurn();
    });
  }

  private endTurn(): void {
    const peer = this.peer!;
    for (const { id, reply } of peer.takeReplies()) {
      const waiting = this.requests.get(id);
      if (waiting === undefined) continue;
      this.requests.delete(id);
      this.world.beliefs.fits(waiting.request, reply, waiting.since);
      waiting.tell(reply);
    }
    for (const news of peer.takeNews()) this.world.told.take(this.index, news);
    for (const [to, frame] of peer.takeFrames()) this.world.send(this.index, to, frame);
    if (!this.flushing && peer.hasWrites) this.flush(peer.takeWrites());
    const wakeAt = peer.nextWake;
    if (wakeAt < this.wakeAt) {
      this.wakeAt = wakeAt;
      this.later((wakeAt - this.now()) / this.rate + 0.001, () => this.wake(wakeAt));
    }
  }

  private wake(at: number): void {
    if (at !== this.wakeAt) return; // put off, or earlier one came
    this.wakeAt = Number.POSITIVE_INFINITY;
    this.peer!.wake(this.now());
    this.turn();
  }

  /** What the disk makes of a write: the whole, or what it has and the change. */
  private stored(scope: string, { register, events, from }: RegisterWrite): StoredRegister {
    if (events === null) return register;
    const before = this.disk.registers.get(scope);
    if (before === undefined || !sameBallot(before.ballot, register.ballot) || before.version !== from) {
      throw new Violation('delta', `${scope}: the change does not follow what is on p${this.index}'s disk`);
    }
    const state = evolveAll(before.state, this.world.rules.written(events));
    if (!sameState(state, register.state)) {
      throw new Violation(
        'delta',
        `${scope}: what is on p${this.index}'s disk and the change do not make the whole`,
      );
    }
    return { ballot: register.ballot, version: register.version, state };
  }

  private flush(batch: Batch): void {
    this.flushing = true;
    const { random, options } = this.world;
    const taken = this.taken;
    this.taken = [];
    const { life } = this;
    const ms = (0.05 + random.exp(options.flushMs)) * this.slowness;
    const land = () => {
      for (const [scope, write] of batch.registers) this.disk.registers.set(scope, this.stored(scope, write));
      if (batch.horizon > 0) this.disk.horizon = Math.max(this.disk.horizon, batch.horizon);
      for (const { scope, ballot, version } of taken)
        this.world.chains.flushed(scope, this.index, ballot, version);
    };
    const { disk } = this;
    this.world.time.after(ms, () => {
      // The machine may have died meanwhile: then the flush landed whole or not at all.
      if (life === this.life) land();
      else if (disk === this.disk && this.life === life + 1 && !this.running && random.chance(0.5)) land();
      if (life !== this.life) return;
      const done = () => {
        this.flushing = false;
        this.peer!.flushed(this.now(), batch.number);
        this.turn();
      };
      if (this.paused) this.held.push({ run: done, fromLink: false });
      else done();
    });
  }
}
