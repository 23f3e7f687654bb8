/**
 * One peer, pure: inputs are method calls with the time in them, outputs are collected and taken by whoever runs
 * it, the real event loop or the simulator.
 *
 *   input                         from
 *   receive(now, from, frame)     a link
 *   request(now, id, ...)         a client of this gateway; answered once, with the same id
 *   abandon(now, id)              that client is gone
 *   flushed(now, number)          the disk: the batch that takeWrites() gave is durable
 *   liveness(now, voter, alive)   gossip and links
 *   watch(now, scope)             somebody here wants to be told what happens to it; unwatch(scope): nobody does
 *   wake(now)                     the clock, at nextWake or later
 *
 * Outputs: takeFrames() (what to send, one frame per peer), takeWrites() (what to flush), takeReplies(), takeNews() (what
 * happened to watched scopes).
 * Always true: `now` never falls; the same inputs give the same outputs.
 */

import type { Acquire, Claim, Command, Convert, Look } from '../lock/command.ts';
import { isFree, type SessionId } from '../lock/state.ts';
import type { Register } from '../vote/acceptor.ts';
import type { VoteMessage } from '../vote/messages.ts';
import { majority } from '../vote/quorum.ts';
import { VOTE_RULES, type VoteRules } from '../vote/rules.ts';
import type { Settlement, Task } from '../vote/task.ts';
import { GATEWAY_RULES, Gateway, type GatewayRules } from './gateway.ts';
import { FORWARDS_REMEMBERED, GATEWAYS_REMEMBERED } from './limits.ts';
import type { Frame, Message, Notice, Verdict } from './messages.ts';
import { hashText, lineOf } from './placement.ts';
import { RecentNumbers } from './recent-numbers.ts';
import type { ClientReply, ClientRequest } from './request.ts';
import { sessionOfScope } from './sessions.ts';
import type { News } from './told.ts';
import { Voter, type VoterStart } from './voter.ts';
import type { Batch } from './writes.ts';

export interface PeerConfig {
  /** Identity of the mesh, and the number of the roster in force: frames of others are refused. */
  readonly mesh: string;
  readonly epoch: number;
  /** The voters' names, in the roster's order: their index is their number on the wire. */
  readonly voters: readonly string[];
  /** This peer's index among the voters, or -1 for an observer. */
  readonly me: number;
  readonly identity: string;
  readonly boot: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Wall clock, milliseconds since 1970: for people only (L8). */
  readonly wall: () => number;
  readonly rules?: VoteRules & GatewayRules;
}

export interface Reply {
  readonly id: number;
  readonly reply: ClientReply;
}

export const RULES: VoteRules & GatewayRules = { ...VOTE_RULES, ...GATEWAY_RULES };

export class Peer {
  readonly config: PeerConfig;
  private readonly voter: Voter | undefined;
  private readonly gateway: Gateway;
  private readonly hashes: readonly number[];
  private readonly up: boolean[];
  private readonly line: (scope: string) => number[];
  private outbox = new Map<number, Message[]>();
  private local: VoteMessage[] = [];
  private replies: Reply[] = [];
  /** Numbers of forwards proposed lately: a doubled one could say "nothing happened" of what its twin did. */
  private readonly forwards = new RecentNumbers(FORWARDS_REMEMBERED);
  /** Where each gateway's session was last heard of: notices go there. */
  private readonly gateways = new Map<SessionId, number>();
  private freshSessions: number;
  private now: number;

  /** @param start what this voter knows from its disk; undefined for an observer. */
  constructor(config: PeerConfig, start: VoterStart | undefined, now: number) {
    this.config = config;
    this.now = now;
    this.hashes = config.voters.map(hashText);
    this.line = (scope) => lineOf(scope, this.hashes);
    this.up = config.voters.map((_, i) => i === config.me);
    const { me, identity, boot, random, wall } = config;
    const rules = config.rules ?? RULES;
    const voters = config.voters.length;
    if (start !== undefined) {
      this.voter = new Voter(
        { me, voters, identity, boot },
        start,
        rules,
        random,
        wall,
        this.voterPort(),
        now,
      );
    }
    this.freshSessions = Math.floor(random() * 2 ** 40);
    const firstNumber = Math.floor(random() * 2 ** 46) + 1;
    this.gateway = new Gateway(this.gatewayPort(), rules, firstNumber);
  }

  private voterPort() {
    return {
      send: (to: number, message: VoteMessage) => {
        if (to === this.config.me) this.local.push(message);
        else this.post(to, message);
      },
      notice: (gateway: SessionId, notice: Notice) => {
        const to = this.gateways.get(gateway);
        if (to === this.config.me) this.gateway.onNotice(this.now, notice);
        else if (to !== undefined) this.post(to, notice);
      },
      obituary: (session: SessionId) => {
        for (let to = 0; to < this.config.voters.length; to++) {
          if (to !== this.config.me) this.post(to, { kind: 'obituary', session });
        }
      },
      settle: (task: Task, scope: string, settlement: Settlement) => this.settled(task, scope, settlement),
      rank: (scope: string) => {
        const alive = this.line(scope).filter((voter) => this.up[voter]);
        return alive.indexOf(this.config.me);
      },
    };
  }

  private gatewayPort() {
    const { identity, boot, wall } = this.config;
    return {
      voters: this.config.voters.length,
      line: this.line,
      alive: (voter: number) => this.up[voter]!,
      forward: (to: number, message: Message & { kind: 'forward' }) => {
        if (to === this.config.me) this.submit(to, message);
        else this.post(to, message);
      },
      reply: (id: number, reply: ClientReply) => this.replies.push({ id, reply }),
      // The boot number is this peer's for ever; where it counts from there is drawn, should it be built twice.
      ttlHere: (session: SessionId) => this.voter?.duties.ttlHere(session),
      freshSession: () => `${identity}-${boot.toString(36)}-${this.freshSessions++}` as SessionId,
      wall,
    };
  }

  private post(to: number, message: Message): void {
    const box = this.outbox.get(to);
    if (box === undefined) this.outbox.set(to, [message]);
    else box.push(message);
  }

  private submit(from: number, message: Message & { kind: 'forward' }): void {
    const { request, scope, command, waitMs } = message;
    if (this.voter === undefined) return;
    // What this peer forwards to itself crosses no network.
    if (from !== this.config.me) {
      if (this.forwards.has(request)) return;
      this.forwards.add(request);
    }
    if (isFromGateway(command) && sessionOfScope(scope) === undefined) {
      this.heardOf(command.gateway, from);
    }
    const limit = this.voter.limitOf(scope, command);
    if (limit !== undefined) this.answer(from, request, { kind: 'overloaded', limit });
    else this.voter.submit(scope, { command, deadline: this.now + waitMs, from, request, sent: false });
  }

  private heardOf(gateway: SessionId, from: number): void {
    if (this.gateways.get(gateway) === from) return;
    this.gateways.delete(gateway);
    this.gateways.set(gateway, from);
    if (this.gateways.size > GATEWAYS_REMEMBERED) this.gateways.delete(this.gateways.keys().next().value!);
  }

  private settled(task: Task, scope: string, settlement: Settlement): void {
    const verdict: Verdict =
      settlement.kind === 'decided'
        ? {
            kind: 'decided',
            outcome: settlement.outcome,
            votes: settlement.votes,
            view: this.voter!.view(scope, task.command, settlement),
          }
        : settlement;
    this.answer(task.from, task.request, verdict);
  }

  private answer(to: number, request: number, verdict: Verdict): void {
    if (to === this.config.me) this.gateway.onVerdict(this.now, request, verdict);
    else this.post(to, { kind: 'answer', request, verdict });
  }

  // --- inputs ---

  /** @param from the sender's index: a voter's, or for observers any higher number that its link was given. */
  receive(now: number, from: number, frame: Frame): void {
    if (frame.mesh !== this.config.mesh || frame.epoch !== this.config.epoch) return;
    this.begin(now);
    for (const message of frame.messages) {
      switch (message.kind) {
        case 'forward':
          this.submit(from, message);
          break;
        case 'answer':
          this.gateway.onVerdict(now, message.request, message.verdict);
          break;
        case 'notice':
          this.gateway.onNotice(now, message);
          break;
        case 'obituary':
          this.voter?.duties.died(message.session);
          break;
        default:
          if (from < this.config.voters.length) this.voter?.receive(from, message);
      }
      this.drain();
    }
  }

  /** @param timeoutMs for the votes; what the request says of waiting comes on top. */
  request(now: number, id: number, request: ClientRequest, timeoutMs: number): void {
    this.begin(now);
    this.gateway.request(now, id, request, timeoutMs);
    this.drain();
  }

  abandon(now: number, id: number): void {
    this.begin(now);
    this.gateway.abandon(now, id);
    this.drain();
  }

  flushed(now: number, number: number): void {
    this.begin(now);
    this.voter?.onFlushed(number);
    this.drain();
  }

  liveness(now: number, voter: number, alive: boolean): void {
    if (voter === this.config.me || this.up[voter] === alive) return;
    this.begin(now);
    this.up[voter] = alive;
    if (!alive) this.gateway.onDead(now, voter);
    this.drain();
  }

  /**
   * From the news that begins on, tells what is chosen of this scope: each change once, in order. If it is watched
   * already, the news begin once more. Only a voter sees what is chosen: at an observer nothing is ever told.
   */
  watch(now: number, scope: string): void {
    this.begin(now);
    this.voter?.watch(scope);
    this.drain();
  }

  /** Nobody here watches the scope any more. */
  unwatch(scope: string): void {
    this.voter?.unwatch(scope);
  }

  wake(now: number): void {
    this.begin(now);
    this.voter?.wake();
    this.gateway.wake(now);
    this.drain();
  }

  private begin(now: number): void {
    this.now = now;
    if (this.voter !== undefined) this.voter.now = now;
  }

  /** Messages of this peer to itself are never lost and never wait. */
  private drain(): void {
    while (this.local.length > 0) {
      const messages = this.local;
      this.local = [];
      for (const message of messages) this.voter!.receive(this.config.me, message);
    }
  }

  // --- outputs ---

  /** When wake() is wanted next, or Infinity. */
  get nextWake(): number {
    return Math.min(this.voter?.nextWake ?? Number.POSITIVE_INFINITY, this.gateway.nextWake);
  }

  /** Takes what is to be sent: one frame for each peer. */
  takeFrames(): ReadonlyMap<number, Frame> {
    const { mesh, epoch } = this.config;
    const frames = new Map<number, Frame>();
    if (this.outbox.size === 0) return frames;
    for (const [to, messages] of this.outbox) frames.set(to, { mesh, epoch, messages });
    this.outbox = new Map();
    return frames;
  }

  get hasWrites(): boolean {
    return this.voter?.hasWrites ?? false;
  }

  /** Takes what is to be flushed; call flushed() with its number once it is durable. */
  takeWrites(): Batch {
    return this.voter!.takeWrites();
  }

  takeReplies(): readonly Reply[] {
    const { replies } = this;
    this.replies = [];
    return replies;
  }

  /** Takes what happened to watched scopes, in order. */
  takeNews(): readonly News[] {
    return this.voter?.watching.take() ?? [];
  }

  // --- looking ---

  /** Whether a majority of the voters looks alive from here. */
  get hasQuorum(): boolean {
    return this.up.filter(Boolean).length >= majority(this.up.length);
  }

  isUp(voter: number): boolean {
    return this.up[voter] ?? false;
  }

  /** Scopes that this voter knows to be held or waited for, from local state: for lists, not for decisions. */
  *held(): Iterable<readonly [scope: string, register: Register]> {
    for (const [scope, register] of this.voter?.known() ?? []) {
      if (!isFree(register.state) && sessionOfScope(scope) === undefined) yield [scope, register];
    }
  }

  /** Scopes in memory, and requests that wait. */
  get sizes(): { readonly scopes: number; readonly requests: number } {
    return { scopes: this.voter?.scopes ?? 0, requests: this.gateway.size };
  }

  /** How many times a scope was frozen: each time its objects became garbage. */
  get frozen(): number {
    return this.voter?.frozen ?? 0;
  }

  /** Forgets what memory may forget (G2). @returns how many scopes. */
  forgetFree(): number {
    return this.voter?.forgetFree() ?? 0;
  }
}

/** Whether the gateway that a command names is the one that sent it. */
function isFromGateway(command: Command): command is Acquire | Claim | Convert | Look {
  const { kind } = command;
  return kind === 'acquire' || kind === 'claim' || kind === 'convert' || kind === 'look';
}
