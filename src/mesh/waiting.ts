/**
 * Client requests that wait for their reply.
 * Always true: each is answered exactly once; a client that is gone is answered at once, and nobody is asked for it
 * any more.
 */
import type { ClientReply } from '../peer/request.ts';

interface Entry {
  readonly resolve: (reply: ClientReply) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

const GONE: ClientReply = { kind: 'unknown', missing: [] };

export class Waiting {
  private readonly entries = new Map<number, Entry>();
  private readonly onGone: (id: number) => void;
  private nextId = 1;

  /** @param onGone told when the client of that request is gone. */
  constructor(onGone: (id: number) => void) {
    this.onGone = onGone;
  }

  get size(): number {
    return this.entries.size;
  }

  /** @param start is given the number of the request. */
  open(signal: AbortSignal | undefined, start: (id: number) => void): Promise<ClientReply> {
    const id = this.nextId++;
    return new Promise((resolve) => {
      const onAbort = () => {
        this.settle(id, GONE);
        this.onGone(id);
      };
      this.entries.set(id, { resolve, signal, onAbort });
      signal?.addEventListener('abort', onAbort, { once: true });
      start(id);
    });
  }

  settle(id: number, reply: ClientReply): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    this.entries.delete(id);
    entry.signal?.removeEventListener('abort', entry.onAbort);
    entry.resolve(reply);
  }

  /** Whoever still waits learns no more. */
  settleAll(): void {
    for (const id of [...this.entries.keys()]) this.settle(id, GONE);
  }
}
