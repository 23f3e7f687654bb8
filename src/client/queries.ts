/**
 * What is only asked, or done to locks that others hold.
 * Always true: what names no lock id is never sent twice once it may have happened, for the second time it could hit
 * somebody else's lock.
 */
import type { ListAnswer, PeersAnswer, Status } from '../api/answers.ts';
import type { Core } from './core.ts';
import { NoQuorumError, type QuorateError } from './errors.ts';
import { parsed } from './http.ts';
import { checkKeys, durationOf, holderOf, lockIdOf, reasonOf, type Server, scopeOf } from './options.ts';
import { pauseMs } from './pause.ts';
import { type Body, errorOf } from './refusals.ts';
import { unexpected } from './session.ts';
import type { ForceOptions, LocksQuery, ReleaseOptions } from './types.ts';
import type { Answer } from './way.ts';

const PASSING: ReadonlySet<string> = new Set(['no_quorum', 'outcome_unknown', 'internal', 'overloaded']);
const LIST_LIMIT_MAX = 1_000;

export async function statusOf(core: Core, scope: string): Promise<Status> {
  if (core.closed) throw core.closedError();
  const answer = await core.ask({ kind: 'status', id: 0, scope: scopeOf(scope) }, scope);
  if (answer.kind === 'refused') throw errorOf(answer.body, { scope });
  if (answer.kind !== 'status') throw unexpected(answer);
  return answer.body as unknown as Status;
}

export async function release(core: Core, which: ReleaseOptions): Promise<void> {
  checkKeys(which, ['scope', 'lockId', 'holder']);
  if (core.closed) throw core.closedError();
  const scope = scopeOf(which.scope);
  const lockId = which.lockId === undefined ? null : lockIdOf(which.lockId);
  const holder = which.holder === undefined ? null : holderOf(which.holder);
  const own = lockId === null ? undefined : core.locks.get(lockId);
  if (own !== undefined && own.scope === scope) return own.release();
  const once = lockId === null;
  const answer = await core.ask({ kind: 'release', id: 0, scope, lockId, holder, force: null }, scope, once);
  checkUnlocked(answer, scope);
}

export async function forceRelease(core: Core, scope: string, options: ForceOptions): Promise<void> {
  checkKeys(options, ['reason', 'lockId']);
  if (core.closed) throw core.closedError();
  const force = reasonOf(options.reason);
  const lockId = options.lockId === undefined ? null : lockIdOf(options.lockId);
  const { holder } = core.settings;
  const message = { kind: 'release', id: 0, scope: scopeOf(scope), lockId, holder, force } as const;
  checkUnlocked(await core.ask({ ...message }, scope, lockId === null), scope);
}

function checkUnlocked(answer: Answer, scope: string): void {
  if (answer.kind === 'refused') throw errorOf(answer.body, { scope });
  if (answer.kind !== 'unlocked') throw unexpected(answer);
}

export async function listLocks(core: Core, query: LocksQuery): Promise<ListAnswer> {
  checkKeys(query, ['prefix', 'holder', 'state', 'olderThan', 'limit', 'cursor']);
  const { olderThan, limit, ...texts } = query;
  const params = new URLSearchParams();
  for (const [name, text] of Object.entries(texts)) if (text !== undefined) params.set(name, String(text));
  if (olderThan !== undefined) params.set('older_than', `${durationOf(olderThan, 'olderThan')}ms`);
  if (limit !== undefined) params.set('limit', String(Math.min(limit, LIST_LIMIT_MAX)));
  return (await get(core, `/api/v1.0/locks?${params}`)) as unknown as ListAnswer;
}

export async function listPeers(core: Core): Promise<PeersAnswer> {
  return (await get(core, '/api/v1.0/peers')) as unknown as PeersAnswer;
}

/** Asks one server after the other until one answers, or the time is over. */
async function get(core: Core, path: string): Promise<Body> {
  if (core.closed) throw core.closedError();
  const deadline = core.deadline();
  let error: QuorateError | undefined;
  for (let failures = 0; ; failures++) {
    const servers = core.calls.transport.servers();
    const round = Math.floor(failures / servers.length);
    if (round > 0) await pause(core, pauseMs(round, core.settings.random));
    const left = deadline - core.clock.now();
    if (error !== undefined && left <= 0) throw error;
    const server = servers[failures % servers.length]!;
    const answer = await getOnce(core, server, path, Math.max(1, left));
    if (!('error' in answer)) return answer.body;
    ({ error } = answer);
    if (!PASSING.has(error.code)) throw error;
  }
}

function getOnce(
  core: Core,
  server: Server,
  path: string,
  leftMs: number,
): Promise<{ body: Body } | { error: QuorateError }> {
  return new Promise((resolve) => {
    const fail = (why: string) => {
      stopTimer();
      const facts = { certainty: 'definite' } as const;
      resolve({
        error: new NoQuorumError(`No peer could be reached in time (${server.host}: ${why}).`, facts),
      });
    };
    const sending = core.http.send(server, { method: 'GET', path }, false, {
      answered: (status, text) => {
        stopTimer();
        const body = parsed(text);
        if (typeof body !== 'object' || body === null) fail(`it answered ${status}, and no peer answers so`);
        else resolve(status === 200 ? { body: body as Body } : { error: errorOf(body as Body) });
      },
      broken: (_sent, why) => fail(why),
    });
    const stopTimer = core.clock.after(leftMs, () => {
      sending.abort();
      fail('no answer');
    });
  });
}

function pause(core: Core, ms: number): Promise<void> {
  return new Promise((resolve) => core.clock.after(ms, resolve));
}
