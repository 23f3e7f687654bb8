/**
 * What every door is given: the peer that it asks, the guard that it passes, and the figures that it counts.
 */
import { randomBytes, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import type { LockId } from '../lock/state.ts';
import type { RunningPeer, Standing } from '../mesh/types.ts';
import type { ClientReply, ClientRequest } from '../peer/request.ts';
import type { Exchange } from './exchange.ts';
import type { Guard } from './guard.ts';
import { Problem } from './problems.ts';

export interface Door {
  readonly peer: RunningPeer;
  readonly guard: Guard;
  /** How long a request may take until it is answered, milliseconds. */
  readonly requestMs: number;
  readonly makeHolder: () => string;
}

/**
 * Makes up holder names, such as `p1-7f3a09c2d1-1k`.
 * Unique for ever: a name that is used twice would tell the second client that it holds the lock of the first.
 */
export function holderMaker(peer: string): () => string {
  const start = `${peer}-${randomBytes(5).toString('hex')}-`;
  let count = 0;
  return () => start + (++count).toString(36);
}

/** Asking the system for 16 random bytes each time was 2% of a busy peer's work. */
const randomness = new Uint8Array(4_096);
let taken = randomness.length;

export function makeLockId(): LockId {
  if (taken === randomness.length) {
    randomFillSync(randomness);
    taken = 0;
  }
  taken += 16;
  return v7({ random: randomness.subarray(taken - 16, taken) }) as LockId;
}

/** Asks the peer; refuses at once while it can ask nobody. */
export async function ask(door: Door, request: ClientRequest, exchange?: Exchange): Promise<ClientReply> {
  const { peer, requestMs } = door;
  if (peer.standing.kind === 'forming') throw forming(peer.standing.missing, request.scope);
  const options = { timeoutMs: requestMs, ...(exchange === undefined ? {} : { signal: exchange.signal }) };
  let reply: ClientReply;
  try {
    reply = await peer.request(request, options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem('outcome_unknown', `This peer could not see the request through: ${why}.`, {
      scope: request.scope,
      retryAfterS: 1,
    });
  }
  const { standing } = peer;
  if (reply.kind === 'no_quorum' && standing.kind === 'refused') {
    const detail = `This peer could not forward the request; nothing happened. ${refusedText(standing)}`;
    throw new Problem('no_quorum', detail, { scope: request.scope });
  }
  return reply;
}

/** Why a peer does not vote, ending in what mends it. */
export function refusedText({ reason, mend }: Standing & { readonly kind: 'refused' }): string {
  return reason.includes(mend) ? reason : `${reason} To mend it: ${mend}`;
}

export function forming(missing: readonly string[], scope?: string): Problem {
  const detail = `The mesh is still forming: waiting until ${missing.join(', ')} stored the first roster. Nothing happened.`;
  return new Problem('no_quorum', detail, {
    ...(scope === undefined ? {} : { scope }),
    missing,
    retryAfterS: 1,
  });
}
