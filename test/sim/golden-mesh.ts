/**
 * A mesh of real peers whose messages, flushes and time are moved by hand, and which writes down all that happens.
 * Always true: no clock and no dice, so the same moves give the same text. Rows are told by the acceptor's own
 * functions just before the voter takes the message; whose disk holds a grant is counted here, not by the peers.
 */
import { isFree } from '../../src/lock/state.ts';
import type { Message } from '../../src/peer/messages.ts';
import { Peer } from '../../src/peer/peer.ts';
import type { ClientReply, ClientRequest } from '../../src/peer/request.ts';
import { scopeOfSession } from '../../src/peer/sessions.ts';
import type { Voter } from '../../src/peer/voter.ts';
import { type Row, rowOfAccept, rowOfPrepare, type StoredRegister } from '../../src/vote/acceptor.ts';
import type { VoteMessage } from '../../src/vote/messages.ts';
import { type Filter, headline, type Letter } from './golden-letters.ts';
import {
  messageInWords,
  millisInWords,
  newsInWords,
  replyInWords,
  rowInWords,
  scopeInWords,
  stampInWords,
  stateInWords,
} from './golden-words.ts';
import { Random } from './random.ts';

/** The scope by which horizons are raised before a file begins. */
const WARM_UP = 'warm-up';
const FRAME = { mesh: 'golden', epoch: 1 };

interface Machine {
  readonly name: string;
  readonly index: number;
  readonly disk: Map<string, StoredRegister>;
  readonly up: boolean[];
  horizon: number;
  boots: number;
  peer: Peer | undefined;
}

export class Mesh {
  readonly lines: string[] = [];
  readonly rows = new Set<Row>();
  muted = false;
  private readonly machines: Machine[] = [];
  private letters: Letter[] = [];
  private readonly clients: { readonly name: string; readonly scope: string }[] = [];
  private now = 0;
  /** The first scope that was asked about: it goes without saying. */
  private plain: string | undefined;
  /** The line of the delivery that is under way, to which its answer is added. */
  private delivery = -1;

  constructor(size: number, fresh: boolean) {
    for (let index = 0; index < size; index++) {
      const up = Array.from({ length: size }, () => true);
      const disk = new Map<string, StoredRegister>();
      this.machines.push({ name: `p${index + 1}`, index, disk, up, horizon: 0, boots: 0, peer: undefined });
    }
    this.muted = true;
    for (const machine of this.machines) {
      this.start(machine);
      if (fresh) continue;
      const prepare = { kind: 'prepare', scope: WARM_UP, ballot: { round: 1, peer: '', boot: 1 } } as const;
      machine.peer!.receive(this.now, 0, { ...FRAME, messages: [prepare] });
      this.flush(machine);
    }
    this.letters = [];
    this.rows.clear();
    this.muted = false;
  }

  machine(name: string | undefined): Machine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found === undefined) throw new Error(`no such peer: ${name}`);
    return found;
  }

  private headline(letter: Letter): string {
    return headline(letter, this.plain ?? '');
  }

  /** @returns the number of the line. */
  say(line: string): number {
    return this.muted ? -1 : this.lines.push(`  ${line}`) - 1;
  }

  // --- moves ---

  ask(machine: Machine, name: string, request: ClientRequest, timeoutMs: number): void {
    const scope = 'scope' in request ? request.scope : scopeOfSession(request.session);
    if ('scope' in request) this.plain ??= scope;
    const id = this.clients.push({ name, scope }) - 1;
    machine.peer!.request(this.now, id, request, timeoutMs);
    this.collect(machine);
  }

  watchScope(machine: Machine, scope: string): void {
    this.plain ??= scope;
    machine.peer!.watch(this.now, scope);
    this.collect(machine);
  }

  /** The client that asked last by this name hangs up. */
  abandon(machine: Machine, name: string | undefined): void {
    const id = this.clients.findLastIndex((client) => client.name === name);
    machine.peer!.abandon(this.now, id);
    this.collect(machine);
  }

  /** Delivers what matches, and what that causes, as far as it matches. */
  deliver(matches: Filter): void {
    for (;;) {
      const at = this.letters.findIndex(matches);
      if (at < 0) return;
      const [letter] = this.letters.splice(at, 1) as [Letter];
      const to = this.machines[letter.to]!;
      if (to.peer === undefined) {
        this.say(`lost: ${this.headline(letter)}`);
        continue;
      }
      const { kind } = letter.message;
      // The rest are written down where the voter takes them.
      if (['forward', 'answer', 'notice', 'obituary'].includes(kind)) this.say(this.headline(letter));
      to.peer.receive(this.now, letter.from, { ...FRAME, messages: [letter.message] });
      this.collect(to, letter.from);
    }
  }

  drop(matches: Filter): void {
    for (const letter of this.letters.filter(matches)) this.say(`lost: ${this.headline(letter)}`);
    this.letters = this.letters.filter((letter) => !matches(letter));
  }

  /** What waits for the disk lands on it; undefined: on all disks. */
  flush(only: Machine | undefined): void {
    for (const machine of this.machines) {
      if ((only ?? machine) !== machine || machine.peer?.hasWrites !== true) continue;
      const batch = machine.peer.takeWrites();
      for (const [scope, { register }] of batch.registers) {
        machine.disk.set(scope, register);
        const stamp = stampInWords(register.ballot, register.version);
        this.say(`${machine.name} flushes ${scopeInWords(scope)} ${stamp}`);
      }
      if (batch.horizon > 0) {
        machine.horizon = batch.horizon;
        this.say(`${machine.name} flushes horizon ${batch.horizon}`);
      }
      machine.peer.flushed(this.now, batch.number);
      this.collect(machine);
    }
  }

  /** Delivers and flushes until nothing is left to do. */
  settle(): void {
    while (this.letters.length > 0 || this.machines.some(({ peer }) => peer?.hasWrites)) {
      this.deliver(() => true);
      this.flush(undefined);
    }
  }

  wait(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const wakes = this.machines.map(({ peer }) => peer?.nextWake ?? Number.POSITIVE_INFINITY);
      const next = Math.min(...wakes);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      const machine = this.machines[wakes.indexOf(next)]!;
      const line = this.say(`at ${millisInWords(this.now)} ${machine.name} wakes`);
      machine.peer!.wake(this.now);
      this.collect(machine);
      if (line >= 0 && line === this.lines.length - 1) this.lines.pop(); // it only looked
    }
    this.now = end;
  }

  /** What it had not flushed is lost, and what was on its way to it. */
  crash(machine: Machine): void {
    machine.peer = undefined;
    this.drop(({ to }) => to === machine.index);
  }

  boot(machine: Machine): void {
    const { name, disk, horizon } = machine;
    const known = [...disk].map(
      ([scope, { ballot, version }]) => `${scopeInWords(scope)} ${stampInWords(ballot, version)}`,
    );
    this.start(machine);
    this.say(`${name} finds horizon ${horizon}, and ${known.join(', ') || 'no scope'}`);
    this.collect(machine);
  }

  liveness(about: Machine, at: Machine, alive: boolean): void {
    at.up[about.index] = alive;
    at.peer!.liveness(this.now, about.index, alive);
    this.collect(at);
  }

  /** What each peer knows, and how much was left unsaid. */
  look(): void {
    for (const { name, peer, disk } of this.machines) {
      if (peer === undefined) this.say(`${name} is down`);
      for (const [scope, register] of peer === undefined ? [] : voterOf(peer).known()) {
        if (scope === WARM_UP || register.version === 0) continue;
        const stored = disk.get(scope);
        const flushed = stored?.version === register.version && stored.ballot === register.ballot;
        const stamp = stampInWords(register.ballot, register.version);
        this.say(
          `${name} ${scopeInWords(scope)} ${stamp}${flushed ? '' : ' (unflushed)'}: ${stateInWords(register.state)}`,
        );
      }
    }
    for (const letter of this.letters) this.say(`still on its way: ${this.headline(letter)}`);
  }

  // --- peers ---

  private start(machine: Machine): void {
    const { name, index, disk, horizon } = machine;
    const random = new Random(index + 1);
    const config = {
      ...FRAME,
      voters: this.machines.map((other) => other.name),
      me: index,
      identity: name,
      boot: ++machine.boots,
      random: () => random.next(),
      wall: () => this.now,
    };
    const held = [...disk].filter(([, { state }]) => !isFree(state));
    const peer = new Peer(config, { horizon, read: (scope) => disk.get(scope), held }, this.now);
    machine.peer = peer;
    this.watch(machine, voterOf(peer));
    for (const other of this.machines) peer.liveness(this.now, other.index, machine.up[other.index]!);
  }

  /** Writes down every message that the voter takes, its own included, with the row that it meets. */
  private watch(machine: Machine, voter: Voter): void {
    const receive = voter.receive.bind(voter);
    voter.receive = (from: number, message: VoteMessage) => {
      const letter = { from, to: machine.index, message };
      const { kind, scope } = message;
      if (kind !== 'prepare' && kind !== 'accept' && kind !== 'ask') {
        const line = this.say(this.headline(letter));
        if (kind === 'gap') this.delivery = line;
        receive(from, message);
        return;
      }
      const before = { ...voter.register(scope) };
      let row: Row = 'J';
      if (kind === 'prepare') row = rowOfPrepare(before, message, machine.horizon);
      if (kind === 'accept') row = rowOfAccept(before, message, machine.horizon);
      receive(from, message);
      this.rows.add(row);
      const words = rowInWords(row, before, voter.register(scope));
      this.delivery = this.say(`${this.headline(letter).padEnd(46)} ${words}`);
    };
  }

  /** Takes what the peer has to say. What answers the delivery under way stands on its line. */
  private collect(machine: Machine, answerTo = -1): void {
    const sends = new Map<Message, number[]>();
    for (const [to, { messages }] of machine.peer!.takeFrames()) {
      for (const message of messages) {
        this.letters.push({ from: machine.index, to, message });
        sends.set(message, [...(sends.get(message) ?? []), to]);
      }
    }
    for (const [message, to] of sends) {
      const words = messageInWords(message, this.plain ?? '');
      const answers = sends.size === 1 && to.length === 1 && to[0] === answerTo && this.delivery >= 0;
      if (answers) this.lines[this.delivery] += `; answers ${words}`;
      else this.say(`${machine.name} sends ${to.map((index) => `p${index + 1}`).join(' ')}: ${words}`);
    }
    this.delivery = -1;
    for (const news of machine.peer!.takeNews()) {
      this.say(`${machine.name} tells who watches ${scopeInWords(news.scope)}: ${newsInWords(news)}`);
    }
    for (const { id, reply } of machine.peer!.takeReplies()) this.tell(machine, id, reply);
  }

  private tell(machine: Machine, id: number, reply: ClientReply): void {
    const { name, scope } = this.clients[id]!;
    const grant = reply.kind === 'decided' && 'grant' in reply.outcome ? reply.outcome.grant : undefined;
    const disks = this.machines.filter(({ disk }) =>
      disk.get(scope)?.state.holders.some((held) => held.leaseId === grant?.leaseId),
    );
    const where = disks.length === 0 ? '' : `; on the disks of ${disks.map((other) => other.name).join(' ')}`;
    this.say(`${machine.name} tells ${name}: ${replyInWords(reply)}${where}`);
  }
}

/** A golden text tells what a peer keeps to itself; nothing else in the house looks in here. */
function voterOf(peer: Peer): Voter {
  // biome-ignore lint/complexity/useLiteralKeys: it is private
  return peer['voter']!;
}
