/**
 * A client that does what the answers tell it: it repeats its lock id, elsewhere where a peer is gone, until it is
 * granted; and it counts by its own clock.
 * Always true: it never asks under a second lock id; it gives up with an error after its deadline.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashText, lineOf } from '../../src/peer/placement.ts';
import { type Answer, type Cluster, type Node, until } from './cluster.ts';
import { clock, leaseUntil } from './count.ts';

export interface Turn {
  readonly lockId: string;
  readonly token: number;
  /** When the answer that it may count on came, and until when it counts. */
  readonly at: number;
  readonly until: number;
  /** How many requests it took. */
  readonly tries: number;
}

const PAUSE_MS = 20;

export interface TurnOptions {
  readonly lockId?: string;
  /** Ends it, and its connection, as the death of the client would. */
  readonly gone?: AbortSignal;
  readonly ms?: number;
  /** What it waits for before it asks again. */
  readonly again?: () => Promise<unknown>;
}

/** Waits for its turn. @param nodes asked one after the other, the next when one does not answer. */
export async function takeTurn(
  cluster: Cluster,
  nodes: readonly Node[],
  body: object,
  { lockId = randomUUID(), gone, ms = 60_000, again = () => sleep(PAUSE_MS) }: TurnOptions = {},
): Promise<Turn> {
  const deadline = clock() + ms;
  let action = 'lock';
  for (let tries = 0; ; tries++) {
    const node = nodes[tries % nodes.length]!;
    const repeat = action === 'lock' ? { repeat: tries, wait: `${ms}ms` } : {};
    const sentAt = clock();
    const request = { ...body, ...repeat, action, lock_id: lockId };
    const left = Math.max(1, deadline - sentAt);
    const answer = await cluster.lock(node, request, left, gone).catch(() => undefined);
    if (gone?.aborted === true || cluster.stopped) throw new Error('the client is gone');
    if (answer?.status === 200) {
      const { fencing_token: token, already_held: before } = answer.body;
      if (before !== true) {
        return { lockId, token, at: clock(), until: leaseUntil(sentAt, answer.body), tries: tries + 1 };
      }
      action = 'extend'; // its first answer was lost: nothing may be counted from this one
    } else if (answer !== undefined && answer.status !== 503 && answer.body.code !== 'waiting') {
      throw new Error(`${lockId} at ${node.name}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    if (clock() > deadline) {
      throw new Error(`${lockId} had no turn in ${ms} ms: ${JSON.stringify(answer?.body) ?? 'no answer'}`);
    }
    await again();
  }
}

/** Releases, however often that takes. */
export async function endTurn(
  cluster: Cluster,
  nodes: readonly Node[],
  scope: string,
  lockId: string,
): Promise<Answer> {
  let answer: Answer | undefined;
  let turn = 0;
  await until(`${lockId} is released`, async () => {
    const body = { scope, action: 'unlock', lock_id: lockId };
    answer = await cluster.lock(nodes[turn++ % nodes.length]!, body, 5_000).catch(() => undefined);
    return answer !== undefined && answer.status < 500;
  });
  return answer!;
}

/** A scope whose home is this peer. */
export function scopeAt(cluster: Cluster, home: Node, prefix: string): string {
  const hashes = cluster.nodes.map(({ name }) => hashText(name));
  for (let i = 0; ; i++) {
    const scope = `${prefix}/${i}`;
    if (cluster.nodes[lineOf(scope, hashes)[0]!] === home) return scope;
  }
}

/** Resolves once so many wait for the scope. */
export async function waitersAre(cluster: Cluster, node: Node, scope: string, count: number): Promise<void> {
  let seen = -1;
  await until(`${count} wait for ${scope}`, async () => {
    const answer = await cluster.lock(node, { scope, action: 'status' }).catch(() => undefined);
    seen = answer?.body?.waiters?.length ?? -1;
    return seen === count;
  });
}
