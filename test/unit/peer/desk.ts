/**
 * Several gateways over one table of registers, on which each command is decided as it arrives: no votes, no voters.
 * Always true: letters take as long as the test says, and keep their order; news goes to the gateway that it names.
 */
import type { Command, Outcome } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import { EMPTY, type LeaseId, type LockState, type SessionId } from '../../../src/lock/state.ts';
import { GATEWAY_RULES, Gateway } from '../../../src/peer/gateway.ts';
import type { Forward, Notice } from '../../../src/peer/messages.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';
import type { Entry } from '../../../src/peer/scopes.ts';
import { sessionOfScope } from '../../../src/peer/sessions.ts';
import { viewOf } from '../../../src/peer/view.ts';
import { loadRegister } from '../../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';

/** How long a letter is on its way, to the table or back. */
const LETTER_MS = 2;

interface Letter {
  readonly at: number;
  readonly read: () => void;
}

export interface Decided {
  readonly at: number;
  readonly scope: string;
  readonly command: Command;
  readonly outcome: Outcome;
  readonly events: readonly LockEvent[];
  readonly after: LockState;
}

export class Desk {
  now = 0;
  /** What arrives is changed to this first: for what must go wrong without a rule. */
  alter: (command: Command) => Command = (command) => command;
  /** How much longer a letter of this gateway takes to the table. */
  slowMs: (gateway: number, command: Command, scope: string) => number = () => 0;
  /** Whether a letter of this gateway is lost. */
  loses: (gateway: number, command: Command, scope: string) => boolean = () => false;
  readonly log: Decided[] = [];
  readonly gateways: readonly Gateway[];
  private readonly states = new Map<string, LockState>();
  private readonly replies: Map<number, ClientReply>[];
  private letters: Letter[] = [];
  private nextId = 1;
  private sessions = 0;

  constructor(gateways: number) {
    this.gateways = Array.from({ length: gateways }, (_, g) => this.gateway(g));
    this.replies = this.gateways.map(() => new Map());
  }

  private gateway(g: number): Gateway {
    const port = {
      voters: 3,
      line: () => [0, 1, 2],
      alive: () => true,
      forward: (_to: number, message: Forward) => this.carry(g, message),
      reply: (id: number, reply: ClientReply) => this.replies[g]!.set(id, reply),
      ttlHere: () => undefined,
      freshSession: () => `g${g}-${this.sessions++}` as SessionId,
      wall: () => this.now,
    };
    return new Gateway(port, GATEWAY_RULES, 1);
  }

  private carry(g: number, { scope, command, request }: Forward): void {
    if (this.loses(g, command, scope)) return;
    this.post(LETTER_MS + this.slowMs(g, command, scope), () => {
      const verdict = this.decide(scope, command);
      this.post(LETTER_MS, () => this.gateways[g]!.onVerdict(this.now, request, verdict));
    });
  }

  private post(ms: number, read: () => void): void {
    this.letters.push({ at: this.now + ms, read });
    this.letters.sort((a, b) => a.at - b.at);
  }

  // --- the table ---

  state(scope: string): LockState {
    return this.states.get(scope) ?? EMPTY;
  }

  /** The command arrives at the table now. */
  decide(scope: string, sent: Command) {
    const command = this.alter(sent);
    const before = this.state(scope);
    const { outcome, events } = decide(before, command, `lease-${this.log.length}` as LeaseId);
    const state = evolveAll(before, events);
    this.states.set(scope, state);
    this.log.push({ at: this.now, scope, command, outcome, events, after: state });
    for (const event of events) this.announce(scope, event, state);
    const register = loadRegister({ ballot: NO_BALLOT, version: 1, state }, NO_BALLOT, this.now);
    const entry = { register, acquires: 0, conflicts: 0, holds: 0, heldMs: 0 } as unknown as Entry;
    const decided = { kind: 'decided', outcome, state, events, votes: 2 } as const;
    const view = viewOf(entry, command, decided, this.now, []);
    return { kind: 'decided', outcome, votes: 2, view } as const;
  }

  private announce(scope: string, event: LockEvent, { holders, retirements }: LockState): void {
    if (event.kind !== 'promoted' && event.kind !== 'converted') return;
    const grant = holders.find(({ lockId }) => lockId === event.lockId);
    if (grant === undefined || event.gateway === null) return;
    const notice: Notice = { kind: 'notice', scope, grant, votes: 2, retirements };
    const gateway = this.gateways[Number(/^g(\d+)-/.exec(event.gateway)![1])]!;
    this.post(LETTER_MS, () => gateway.onNotice(this.now, notice));
  }

  // --- clients ---

  /** @returns what asks for the answer so far. */
  ask(g: number, request: ClientRequest, timeoutMs = 10_000): () => ClientReply | undefined {
    const id = this.nextId++;
    this.gateways[g]!.request(this.now, id, request, timeoutMs);
    return () => this.replies[g]!.get(id);
  }

  wait(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const wakes = this.gateways.map(({ nextWake }) => nextWake);
      const wakeAt = Math.min(...wakes);
      const next = Math.min(wakeAt, this.letters[0]?.at ?? Number.POSITIVE_INFINITY);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (wakeAt === next) this.gateways[wakes.indexOf(wakeAt)]!.wake(this.now);
      else this.letters.shift()!.read();
    }
    this.now = end;
  }

  // --- what was decided ---

  /** What was decided of scopes, not of sessions, in order. */
  get decisions(): readonly Decided[] {
    return this.log.filter(({ scope }) => sessionOfScope(scope) === undefined);
  }

  /** The gateways to which places moved, in order. */
  moves(): string[] {
    return this.decisions.flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === 'moved' ? [event.gateway] : [])),
    );
  }
}
