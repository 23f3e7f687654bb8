/**
 * Client requests that wait for their reply.
 * Always true: each is answered exactly once, after it was opened; a client that is gone is answered at once, and
 * nobody is asked for it any more.
 */
import type { ClientReply, ClientRequest } from '../peer/request.ts';
import type { Done, RequestOptions, RunningPeer } from './types.ts';

const GONE: ClientReply = { kind: 'unknown', missing: [] };

export class Waiting {
  private readonly entries = new Map<number, Done>();
  private readonly onGone: (id: number) => void;
  private nextId = 1;

  /** @param onGone told when the client of that request is gone. */
  constructor(onGone: (id: number) => void) {
    this.onGone = onGone;
  }

  get size(): number {
    return this.entries.size;
  }

  /** @returns the number of the request. */
  open(done: Done): number {
    const id = this.nextId++;
    this.entries.set(id, done);
    return id;
  }

  /** @returns whether it waited for that. */
  settle(id: number, reply: ClientReply): boolean {
    const done = this.entries.get(id);
    if (done === undefined) return false;
    this.entries.delete(id);
    done(reply);
    return true;
  }

  /** Its client is gone. */
  abandon(id: number): void {
    if (this.settle(id, GONE)) this.onGone(id);
  }

  /** Whoever still waits learns no more. */
  settleAll(): void {
    for (const id of [...this.entries.keys()]) this.settle(id, GONE);
  }
}

/** For those who would rather wait for a promise. */
export function promised(
  peer: Pick<RunningPeer, 'ask' | 'abandon'>,
  request: ClientRequest,
  { timeoutMs, asker }: RequestOptions,
): Promise<ClientReply> {
  if (asker === undefined) return new Promise((resolve) => peer.ask(request, timeoutMs, resolve));
  if (asker.gone) return Promise.resolve({ kind: 'no_quorum', missing: [] });
  return new Promise((resolve) => {
    const id = peer.ask(request, timeoutMs, (reply) => {
      asker.whenGone(undefined);
      resolve(reply);
    });
    asker.whenGone(() => peer.abandon(id));
  });
}
