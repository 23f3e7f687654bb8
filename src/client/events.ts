/**
 * What happens to a scope, as it happens.
 * Always true: while it is watched, a watch that breaks is begun anew at another peer, at once or after a pause, and
 * tells `watching` again, for what happened in between may be missing. A reader that is too slow gets an error, not a
 * memory leak.
 */
import type { Core } from './core.ts';
import { OverloadedError, type QuorateError } from './errors.ts';
import { pauseMs } from './pause.ts';
import { errorOf } from './refusals.ts';
import type { LockEvent } from './types.ts';
import type { Answer, Asker, Peer } from './way.ts';

const BUFFERED_MAX = 10_000;
/** A watch that lasted for this long was a good one. */
const GOOD_MS = 5_000;
const PASSING: ReadonlySet<unknown> = new Set([
  'no_quorum',
  'outcome_unknown',
  'internal',
  'overloaded',
  'waiting',
]);

export interface Watcher {
  event(event: LockEvent): void;
  /** It is over: peers refuse it. */
  failed(error: QuorateError): void;
}

/** Watches a scope until it is stopped. */
export class Watch implements Asker {
  private readonly core: Core;
  private readonly scope: string;
  private readonly watcher: Watcher;
  private peer: Peer | undefined;
  private ticket = 0;
  private tried: Peer[] = [];
  private failures = 0;
  private startedAt = 0;
  private stopPause: (() => void) | undefined;

  constructor(core: Core, scope: string, watcher: Watcher) {
    this.core = core;
    this.scope = scope;
    this.watcher = watcher;
    this.start();
  }

  stop(): void {
    this.stopPause?.();
    this.peer?.gone(this.ticket);
    this.peer = undefined;
  }

  private start(): void {
    this.startedAt = this.core.clock.now();
    this.peer = this.core.calls.transport.pick(this.scope, this.tried);
    this.ticket = this.peer.send({ kind: 'watch', id: 0, scope: this.scope }, this);
  }

  answered(answer: Answer): void {
    if (this.peer === undefined) return;
    if (answer.kind === 'event' && answer.body.event !== 'end') {
      this.watcher.event(answer.body as unknown as LockEvent);
    } else if (answer.kind === 'refused' && !PASSING.has(answer.body.code)) {
      this.peer = undefined;
      this.watcher.failed(errorOf(answer.body, { scope: this.scope }));
    } else {
      this.peer.gone(this.ticket); // after an `end` nothing follows
      this.again();
    }
  }

  broken(): void {
    if (this.peer !== undefined) this.again();
  }

  moved(): void {
    if (this.peer === undefined) return;
    this.peer = undefined;
    this.stopPause = this.core.clock.after(0, () => this.start());
  }

  private again(): void {
    const { clock, calls } = this.core;
    if (clock.now() - this.startedAt > GOOD_MS) {
      this.failures = 0;
      this.tried = [];
    }
    this.tried.push(this.peer!);
    if (this.tried.includes(calls.transport.pick(this.scope, this.tried))) this.tried = [];
    this.peer = undefined;
    this.failures++;
    const pause = this.failures === 1 ? 0 : pauseMs(this.failures, calls.random);
    this.stopPause = clock.after(pause, () => this.start());
  }
}

/** Iterates over the events of a scope until the signal is aborted or the client closed. */
export class Events implements AsyncIterableIterator<LockEvent> {
  private readonly core: Core;
  private readonly signal: AbortSignal | undefined;
  private readonly watch: Watch | undefined;
  private readonly buffer: LockEvent[] = [];
  private readonly waiting: {
    resolve: (result: IteratorResult<LockEvent>) => void;
    reject: (error: QuorateError) => void;
  }[] = [];
  private error: QuorateError | undefined;
  private over = false;

  constructor(core: Core, scope: string, signal: AbortSignal | undefined) {
    this.core = core;
    this.signal = signal;
    if (core.closed || signal?.aborted === true) {
      this.over = true;
      return;
    }
    core.enders.add(this.end);
    signal?.addEventListener('abort', this.end);
    this.watch = new Watch(core, scope, {
      event: (event) => this.push(event),
      failed: (error) => this.fail(error),
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<LockEvent>> {
    const event = this.buffer.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    const { error } = this;
    this.error = undefined;
    if (error !== undefined) return Promise.reject(error);
    if (this.over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<LockEvent>> {
    this.buffer.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  private push(event: LockEvent): void {
    const reader = this.waiting.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: event });
    else if (this.buffer.push(event) > BUFFERED_MAX) {
      const what = `${BUFFERED_MAX} events were not read`;
      this.fail(new OverloadedError(`${what}: read faster, or ask status.`, { next: 'Ask `events` anew.' }));
    }
  }

  private fail(error: QuorateError): void {
    const reader = this.waiting.shift();
    if (reader === undefined) this.error = error;
    else reader.reject(error);
    this.end();
  }

  private readonly end = (): void => {
    if (this.over) return;
    this.over = true;
    this.watch?.stop();
    this.core.enders.delete(this.end);
    this.signal?.removeEventListener('abort', this.end);
    for (const { resolve } of this.waiting.splice(0)) resolve({ done: true, value: undefined });
  };
}
