/**
 * One run: machines, the network between them, clients, and the faults that a seed draws. All randomness comes
 * from one generator; nothing here reads a real clock.
 */
import { Packr } from 'msgpackr';
import { SESSION_SCOPE_PREFIX } from '../../src/lock/plain.ts';
import { everybody } from '../../src/lock/queue.ts';
import type { LockId } from '../../src/lock/state.ts';
import type { Frame } from '../../src/peer/messages.ts';
import type { ClientReply, ClientRequest } from '../../src/peer/request.ts';
import { frameFromWire, frameToWire } from '../../src/peer/wire.ts';
import { majority } from '../../src/vote/quorum.ts';
import { Beliefs } from './beliefs.ts';
import { Chains } from './chain.ts';
import { Client } from './client.ts';
import { Journal, Violation } from './journal.ts';
import { Machine } from './machine.ts';
import type { Options } from './options.ts';
import { Random } from './random.ts';
import type { Rules } from './rules.ts';
import { Timeline } from './timeline.ts';
import { Told } from './told.ts';

const packr = new Packr({ useRecords: false });
const pack = (value: unknown) => packr.pack(value);
const unpack = (bytes: Uint8Array): unknown => packr.unpack(bytes);

export class World {
  readonly options: Options;
  readonly rules: Rules;
  readonly random: Random;
  readonly time = new Timeline();
  readonly journal: Journal;
  readonly chains: Chains;
  readonly beliefs: Beliefs;
  readonly told: Told;
  /** Lock ids whose clients still ask for them. */
  readonly wanted = new Set<string>();
  /** Lock ids that their clients ever wanted to be released. */
  readonly released = new Set<string>();
  readonly names: readonly string[];
  readonly scopes: readonly string[];
  private readonly machines: Machine[] = [];
  private readonly cut: boolean[][];
  private calm = false;
  private wiped = 0;
  private served = 0;

  constructor(options: Options, rules: Rules, print?: (line: string) => void) {
    this.options = options;
    this.rules = rules;
    this.random = new Random(options.seed);
    this.journal = new Journal(() => this.time.now, print);
    this.chains = new Chains(options.voters, this.journal, () => this.time.now, {
      wanted: (lockId) =>
        this.wanted.has(lockId) || this.machines.some((machine) => machine.isAskedFor(lockId)),
      mayRelease: (scope, lockId) => scope.startsWith(SESSION_SCOPE_PREFIX) || this.released.has(lockId),
      ended: (scope, lockId, ending) => this.beliefs.ended(scope, lockId, ending),
    });
    this.told = new Told(this.chains, this.journal);
    this.beliefs = new Beliefs(this.chains, this.journal, () => this.time.now);
    this.names = Array.from({ length: options.voters }, (_, i) => `p${i}`);
    this.scopes = Array.from({ length: options.scopes }, (_, i) => `s${i}`);
    this.cut = this.names.map(() => this.names.map(() => false));
  }

  /** Runs it. Throws a Violation if a checker finds one. */
  run(): void {
    const { options, time } = this;
    for (let i = 0; i < options.voters; i++) this.machines.push(new Machine(this, i));
    for (const machine of this.machines) machine.boot();
    this.watchLiveness();
    const clients = Array.from({ length: options.clients }, (_, i) => new Client(this, i));
    for (const client of clients) client.start();
    this.startFaults();
    time.runUntil(options.stormMs);
    this.heal();
    for (const client of clients) client.stop();
    for (const scope of this.scopes) this.probe(scope, 0);
    const end = options.stormMs + options.calmMs;
    const waiting = () => clients.map((client) => client.waitsFor).filter((what) => what !== undefined);
    const busy = () => this.served < this.scopes.length || waiting().length > 0;
    while (time.now < end && busy()) time.runUntil(Math.min(end, time.now + 250));
    if (busy()) {
      throw new Violation(
        'no-progress',
        `only ${this.served} of ${this.scopes.length} scopes served and ${waiting().join()} waiting ${options.calmMs} ms after the faults ended`,
      );
    }
    this.checkLeftovers();
    this.checkWatchers();
    this.beliefs.finish(this.scopes);
  }

  /** Nobody is left who holds or waits once all leases and sessions are over: the dead are not shown for long. */
  private checkLeftovers(): void {
    const { options, time } = this;
    if (options.wildClock !== 0 && options.wildClock < 1) return; // what a majority with that clock ends, ends late
    const longest = Math.max(options.maxLeaseMs, options.maxTtlMs, 2_000) * 1.02;
    time.runUntil(time.now + 3 * longest + 8_000);
    for (const scope of this.scopes) {
      const state = this.chains.chain(scope).at(-1)?.state;
      if (state === undefined) continue;
      const [waiter] = everybody(state.queue);
      const left = state.holders[0] ?? waiter;
      if (left !== undefined)
        throw new Violation('left-over', `${scope}: ${left.lockId} of ${left.holder} is still there`);
    }
  }

  /**
   * Who watches learns all, sooner or later: also what happened while his peer was cut off, although nothing happens
   * after that; and a watch that begins now begins soon.
   */
  private checkWatchers(): void {
    const { time, options, scopes, random, machines } = this;
    if (options.watches === 0) return;
    const isolated = this.wiped === 0 ? random.below(options.voters) : -1;
    const isolate = (cut: boolean) => {
      for (let i = 0; i < options.voters; i++) {
        if (i !== isolated && isolated >= 0) this.cut[i]![isolated] = this.cut[isolated]![i] = cut;
      }
    };
    isolate(true);
    this.served = 0;
    for (const scope of scopes) this.probe(scope, 1_000);
    let end = time.now + options.calmMs;
    while (this.served < scopes.length && time.now < end) time.runUntil(time.now + 250);
    time.runUntil(time.now + 3_000);
    isolate(false);
    random.pick(machines).watchAnew(random.pick(scopes));
    end = time.now + options.calmMs;
    while (this.told.behind !== undefined && time.now < end) time.runUntil(time.now + 250);
    if (this.told.behind !== undefined)
      throw new Violation('told', `${this.told.behind}, long after the faults`);
  }

  /** After the faults: every scope is granted and released once more. */
  private probe(scope: string, attempt: number): void {
    const lockId = `probe-${scope}-${attempt}` as LockId;
    const again = () => this.time.after(100, () => this.probe(scope, attempt + 1));
    const holder = `probe-${attempt}`;
    this.wanted.add(lockId);
    this.released.add(lockId);
    this.ask(
      -1,
      {
        op: 'acquire',
        permits: 0,
        scope,
        lockId,
        made: true,
        holder,
        named: true,
        mode: 'write',
        priority: 'normal',
        reason: null,
        session: null,
        leaseMs: 500,
        waitMs: attempt % 2 === 0 ? 0 : 15_000,
        pollMs: null,
        repeat: 0,
        at: 0,
      },
      1_000,
      (reply) => {
        if (reply.kind === 'decided' && reply.outcome.kind === 'granted') {
          this.journal.note('probed', attempt, 0, () => scope);
          this.served++;
        } else again();
      },
    );
  }

  // --- clients ---

  /**
   * Carries a request to a random gateway and its answer back; either may be lost.
   * @returns what ends the connection; the gateway hears of it a little later.
   */
  ask(
    client: number,
    request: ClientRequest,
    timeoutMs: number,
    tell: (reply: ClientReply) => void,
  ): () => void {
    const { random, time, options } = this;
    let hangUp = () => {};
    // T4 counts on the clock of the gateway where a client waits: a clock out of all bounds may vote, not count.
    const counts = 'waitMs' in request && request.waitMs > 0 && options.wildClock !== 0;
    const machine = counts
      ? this.machines[1 + random.below(options.voters - 1)]!
      : random.pick(this.machines);
    const lose = !this.calm && random.chance(options.lostReply);
    const loseRequest = lose && random.chance(0.3);
    this.journal.note(
      `ask ${request.op}`,
      client,
      machine.index,
      () =>
        `c${client} -> p${machine.index} ${'scope' in request ? request.scope : request.session} ${'lockId' in request ? (request.lockId ?? '') : ''}`,
    );
    let probing = client < 0;
    if (probing) {
      // A probe must hear something, or it would wait for a gateway that died.
      time.after(timeoutMs + 500 + ('waitMs' in request ? request.waitMs : 0), () => {
        if (probing) tell({ kind: 'no_quorum', missing: [] });
        probing = false;
      });
    }
    time.after(random.exp(options.delayMs), () => {
      if (loseRequest) return;
      hangUp = machine.request(request, timeoutMs, (reply) => {
        if (lose) {
          this.journal.note(
            'lost reply',
            client,
            machine.index,
            () => `p${machine.index} -> c${client} ${reply.kind}`,
          );
          return;
        }
        time.after(random.exp(options.delayMs), () => {
          if (client < 0 && !probing) return;
          probing = false;
          tell(reply);
        });
      });
    });
    // Of a connection that is half open nobody hears the end.
    const endless = request.op === 'acquire' && request.leaseMs === 0;
    const unheard = !endless && random.chance(options.lostHangUp);
    return () => {
      if (!unheard) time.after(random.exp(options.delayMs), () => hangUp());
    };
  }

  // --- the network ---

  /** Frames between peers: delayed, dropped, doubled and reordered. */
  send(from: number, to: number, frame: Frame): void {
    const { random, options } = this;
    const target = this.machines[to % options.voters]!;
    const sender =
      this.machines[from]!.disk.roster || this.rules.votesWithoutRoster ? from : from + options.voters;
    if (this.cut[from]![target.index] || (!this.calm && random.chance(options.drop))) {
      this.journal.note('dropped', from, target.index, () => `p${from} -> p${target.index} ${kinds(frame)}`);
      return;
    }
    for (const message of frame.messages) {
      if (message.kind !== 'forward' || message.command.kind !== 'acquire') continue;
      this.chains.asked(message.scope, message.command.lockId, message.command.seen);
    }
    const { life } = target;
    // Some runs send what would be on the wire, so that the codecs are judged by the same checkers.
    const carried = options.wire ? frameFromWire(unpack(pack(frameToWire(frame)))) : frame;
    const copies = !this.calm && random.chance(options.double) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const slow = !this.calm && random.chance(options.straggle) ? random.between(100, 4_000) : 0;
      const delay = 0.02 + random.exp(options.delayMs) + slow;
      this.time.after(delay, () => {
        this.journal.note(
          'deliver',
          from,
          target.index,
          () => `p${from} -> p${target.index} ${kinds(frame)}`,
        );
        // A link ends with the boot at its other end. Votes are let through all the same, as the harder test; a
        // command is not: gateways rely on it that a copy which they sent once arrives once.
        const late = target.life !== life;
        target.receive(
          sender,
          late ? { ...carried, messages: carried.messages.filter((m) => m.kind !== 'forward') } : carried,
        );
      });
    }
  }

  /** What peer `i` thinks of peer `j`: mostly the truth. Safety must not depend on it. */
  looksAlive(i: number, j: number): boolean {
    const other = this.machines[j]!;
    const true_ = other.running && !other.paused && other.disk.roster && !this.cut[i]![j] && !this.cut[j]![i];
    return !this.calm && this.random.chance(0.02) ? !true_ : true_;
  }

  private watchLiveness(): void {
    const look = () => {
      for (const machine of this.machines) {
        if (!machine.running) continue;
        const j = this.random.below(this.options.voters);
        if (j !== machine.index) machine.liveness(j, this.looksAlive(machine.index, j));
      }
      this.time.after(this.random.between(10, 60), look);
    };
    this.time.after(0, look);
  }

  // --- faults ---

  private startFaults(): void {
    const { options, random, machines } = this;
    this.every(options.crashEveryMs, () => {
      if (random.chance(0.1)) for (const machine of machines) this.crash(machine);
      else this.crash(random.pick(machines));
    });
    this.every(options.pauseEveryMs, () => {
      const machine = random.pick(machines);
      if (machine.paused || !machine.running) return;
      machine.pause();
      const ms = random.chance(0.7) ? random.between(5, 1_500) : random.between(1_500, 6_000);
      this.journal.note('pause', machine.index, ms, () => `p${machine.index} for ${ms.toFixed(0)} ms`);
      this.time.after(ms, () => machine.resume());
    });
    this.every(options.cutEveryMs, () => this.cutSome());
    this.every(options.slowDiskEveryMs, () => {
      const machine = random.pick(machines);
      machine.slowness = random.between(10, 200);
      this.journal.note('slow disk', machine.index, 0, () => `p${machine.index}`);
      this.time.after(random.between(100, 2_000), () => {
        machine.slowness = 1;
      });
    });
    this.every(options.forgetEveryMs, () => {
      const machine = random.pick(machines);
      const scopes = machine.forgetFree();
      if (scopes > 0)
        this.journal.note('forgot', machine.index, scopes, () => `p${machine.index} ${scopes} scopes`);
    });
    this.every(options.watches === 0 ? 0 : 1_000, () =>
      random.pick(machines).watchAnew(random.pick(this.scopes)),
    );
    this.every(options.wipeEveryMs, () => {
      if (this.wiped >= options.voters - majority(options.voters)) return;
      const machine = random.pick(machines);
      if (!machine.disk.roster) return;
      this.wiped++;
      machine.wipe();
      this.time.after(random.between(5, 1_000), () => this.restart(machine));
    });
  }

  private every(meanMs: number, run: () => void): void {
    if (meanMs === 0) return;
    const again = () => {
      if (this.calm) return;
      run();
      this.time.after(this.random.exp(meanMs), again);
    };
    this.time.after(this.random.exp(meanMs), again);
  }

  private crash(machine: Machine): void {
    if (!machine.running) return;
    machine.crash();
    this.time.after(
      this.random.chance(0.6) ? this.random.between(2, 200) : this.random.between(200, 3_000),
      () => this.restart(machine),
    );
  }

  private restart(machine: Machine): void {
    if (!machine.running) machine.boot();
  }

  /** Cuts off one peer, one direction of one link, or one side of the mesh from the other. */
  private cutSome(): void {
    const { random, options } = this;
    const n = options.voters;
    const links: [number, number][] = [];
    const kind = random.below(3);
    if (kind === 0) links.push([random.below(n), random.below(n)]);
    else {
      const side = this.names.map((_, i) => (kind === 1 ? i === 0 : random.chance(0.5)));
      const shift = random.below(n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) if (side[(i + shift) % n] !== side[(j + shift) % n]) links.push([i, j]);
      }
    }
    for (const [i, j] of links) this.cut[i]![j] = true;
    this.journal.note('cut', links.length, kind, () => links.map(([i, j]) => `p${i}->p${j}`).join(' '));
    this.time.after(random.between(20, 3_000), () => {
      for (const [i, j] of links) this.cut[i]![j] = false;
    });
  }

  private heal(): void {
    this.calm = true;
    this.journal.note('healed', 0, 0, () => '');
    for (const row of this.cut) row.fill(false);
    for (const machine of this.machines) {
      machine.slowness = 1;
      machine.resume();
      this.restart(machine);
    }
  }
}

function kinds(frame: Frame): string {
  return frame.messages
    .map((m) => {
      const at = 'ballot' in m ? ` ${m.ballot.round}.${m.ballot.peer}` : '';
      const seq = 'seq' in m ? `#${m.seq}` : '';
      const what =
        m.kind === 'forward'
          ? ` ${m.command.kind} ${'lockId' in m.command ? m.command.lockId : ''}${'seen' in m.command ? ` seen ${m.command.seen} #${m.request}` : ''}`
          : m.kind === 'answer'
            ? ` ${m.verdict.kind}`
            : '';
      return `${m.kind}${what}${at}${seq}`;
    })
    .join(', ');
}
