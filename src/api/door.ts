/**
 * What every door is given: the peer that it asks, the guard that it passes, and the figures that it counts.
 */
import type { Log } from '../mesh/log.ts';
import type { RunningPeer, Standing } from '../mesh/types.ts';
import type { AcquireRequest, ClientReply, ClientRequest, ExtendRequest, Which } from '../peer/request.ts';
import type { Exchange } from './exchange.ts';
import type { Guard } from './guard.ts';
import { Problem, type ProblemExtra } from './problems.ts';
import type { Waits } from './waits.ts';

export interface Door {
  readonly peer: RunningPeer;
  readonly guard: Guard;
  /** How long the votes of a request may take, milliseconds; what it waits in a queue comes on top. */
  readonly requestMs: number;
  readonly makeHolder: () => string;
  readonly waits: Waits<ClientReply>;
  readonly log: Pick<Log, 'warn'>;
}

/** Asks the peer; refuses at once while it can ask nobody. */
export async function ask(door: Door, request: ClientRequest, exchange?: Exchange): Promise<ClientReply> {
  const early = notYet(door, request);
  if (early !== undefined) throw early;
  const reply =
    exchange !== undefined && isWaitable(request)
      ? await askLong(door, request, exchange)
      : await askPeer(door, request, exchange);
  const why = notForwarded(door, request, reply);
  if (why !== undefined) throw why;
  return reply;
}

/** Why nothing can be asked at present; undefined if it can. */
export function notYet({ peer }: Door, request: ClientRequest): Problem | undefined {
  const { standing } = peer;
  return standing.kind === 'forming' ? forming(standing.missing, aboutOf(request).scope) : undefined;
}

/** What is to be said of a reply that only the peer's standing explains; undefined for all others. */
export function notForwarded(
  { peer }: Door,
  request: ClientRequest,
  reply: ClientReply,
): Problem | undefined {
  if (reply.kind !== 'no_quorum') return undefined;
  const { standing } = peer;
  if (standing.kind !== 'refused') return undefined;
  const detail = `This peer could not forward the request; nothing happened. ${refusedText(standing)}`;
  return new Problem('no_quorum', detail, aboutOf(request));
}

async function askPeer(door: Door, request: ClientRequest, exchange?: Exchange): Promise<ClientReply> {
  const { peer, requestMs: timeoutMs } = door;
  try {
    return await peer.request(
      request,
      exchange === undefined ? { timeoutMs } : { timeoutMs, asker: exchange },
    );
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const detail = `This peer could not see the request through: ${why}.`;
    throw new Problem('outcome_unknown', detail, { ...aboutOf(request), retryAfterS: 1 });
  }
}

/**
 * A request that may wait. When this peer stops, its client is sent to another one. A place under a lock id that the
 * client chose is parked at once; one under a made-up id, which the peer would give up if its client went away,
 * stays until others see that this peer is gone, and what is granted to it meanwhile is given back (T4).
 */
async function askLong(
  door: Door,
  request: AcquireRequest | ExtendRequest,
  exchange: Exchange,
): Promise<ClientReply> {
  const made = request.op === 'acquire' && request.made;
  const reply = await door.waits.until(
    () => askPeer(door, request, exchange),
    () => {
      if (!made) exchange.letGo();
    },
    (late) => {
      if (made) giveBack(door, request, late);
    },
  );
  if (reply !== undefined) return reply;
  throw sentElsewhere(request);
}

/** Said to who waits here when this peer stops. */
export function sentElsewhere(request: ClientRequest): Problem {
  const detail =
    'This peer is stopping, and the request waits here no longer. Nothing is held by this request.';
  const next = 'Repeat the request with the same lock_id at another peer, within 30 s to keep its place.';
  return new Problem('waiting', detail, { ...aboutOf(request), retryAfterS: 0, next });
}

/** Releases a grant that its client cannot be told of. If this fails, the lease ends it. */
export function giveBack(door: Door, { scope, lockId }: Which, reply: ClientReply): void {
  if (reply.kind !== 'decided' || reply.outcome.kind !== 'granted' || reply.outcome.repeat) return;
  const release = { op: 'release', scope, lockId, holder: null, force: null, at: Date.now() } as const;
  void ask(door, release).catch(() => undefined);
}

/** Whether it may stay open for long. */
export function isWaitable(request: ClientRequest): request is AcquireRequest | ExtendRequest {
  return (request.op === 'acquire' || request.op === 'extend') && request.waitMs > 0;
}

/** What a refusal says that the request was about. */
function aboutOf(request: ClientRequest): Pick<ProblemExtra, 'scope' | 'lock_id' | 'session'> {
  if (!('scope' in request)) return { session: request.session };
  const { scope } = request;
  const lockId = 'lockId' in request ? request.lockId : null;
  return lockId === null ? { scope } : { scope, lock_id: lockId };
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
