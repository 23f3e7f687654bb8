/**
 * One flush at a time: what the peer and the roster have to write goes to the disk as one group.
 * Always true: what comes during a flush goes into the next; after a failed one there is no other. What was seen of
 * other peers rides along now and then, and never causes a flush.
 */
import type { Stored } from '../peer/formation.ts';
import type { Peer } from '../peer/peer.ts';
import type { SavedSeen } from '../peer/standing.ts';
import type { RegisterWrite, StoredRegister } from '../vote/acceptor.ts';
import { SEEN_MS } from './limits.ts';
import { ROSTER_KEY, SEEN_KEY, seenToMeta, storedToMeta } from './memory.ts';
import type { Watch } from './watch.ts';

/** The disk, as the runner needs it. Position and boot are durable before they are read here. */
export interface Disk {
  readonly identity: string;
  readonly boot: number;
  readonly horizon: number;
  readonly position: number;
  meta(key: string): unknown;
  read(scope: string): StoredRegister | undefined;
  held(): Iterable<readonly [scope: string, register: StoredRegister]>;
  commit(batch: {
    readonly registers: ReadonlyMap<string, RegisterWrite>;
    readonly horizon?: number;
    readonly meta?: Readonly<Record<string, unknown>>;
  }): Promise<number>;
}

export interface Flight {
  /** Whose writes they are, and the number of their batch; undefined if there are none. */
  readonly peer: Peer | undefined;
  readonly batch: number;
  /** Whether the roster was among it. */
  readonly roster: boolean;
}

const NO_REGISTERS: ReadonlyMap<string, RegisterWrite> = new Map();
const NO_META: Readonly<Record<string, unknown>> = {};

export class Flusher {
  flushes = 0;
  registers = 0;
  private readonly disk: Disk;
  private readonly watch: Watch;
  private readonly onFlushed: (flight: Flight) => void;
  private readonly onFailed: (error: unknown) => void;
  private flight: Flight | undefined;
  private failed = false;
  private roster: Stored | undefined;
  private startedAt = 0;
  private stalls = 0;
  private seenAt = Number.NEGATIVE_INFINITY;
  private onIdle: (() => void) | undefined;

  constructor(
    disk: Disk,
    watch: Watch,
    onFlushed: (flight: Flight) => void,
    onFailed: (error: unknown) => void,
  ) {
    this.disk = disk;
    this.watch = watch;
    this.onFlushed = onFlushed;
    this.onFailed = onFailed;
  }

  /** The roster goes into the next flush. */
  store(roster: Stored): void {
    this.roster = roster;
  }

  /** Starts a flush if there is something to write and none is under way. @param seen what was seen of others, if new. */
  flush(peer: Peer | undefined, seen: () => readonly SavedSeen[] | undefined): void {
    if (this.flight !== undefined || this.failed) return;
    const batch = peer?.hasWrites === true ? peer.takeWrites() : undefined;
    if (batch === undefined && this.roster === undefined) return;
    this.startedAt = performance.now();
    this.stalls = this.watch.stalls;
    this.flight = {
      peer: batch === undefined ? undefined : peer,
      batch: batch?.number ?? 0,
      roster: this.roster !== undefined,
    };
    const meta = this.takeMeta(seen);
    const registers = batch?.registers ?? NO_REGISTERS;
    this.registers += registers.size;
    const horizon = batch?.horizon ?? 0;
    this.disk
      .commit(horizon > 0 ? { registers, horizon, meta } : { registers, meta })
      .then(this.done, this.fail);
  }

  private takeMeta(seen: () => readonly SavedSeen[] | undefined): Readonly<Record<string, unknown>> {
    const due = this.startedAt - this.seenAt >= SEEN_MS;
    if (!due && this.roster === undefined) return NO_META;
    const meta: Record<string, unknown> = {};
    if (this.roster !== undefined) meta[ROSTER_KEY] = storedToMeta(this.roster);
    this.roster = undefined;
    const news = due ? seen() : undefined;
    if (news !== undefined) {
      this.seenAt = this.startedAt;
      meta[SEEN_KEY] = seenToMeta(news);
    }
    return meta;
  }

  private readonly done = (): void => {
    const flight = this.flight!;
    this.flight = undefined;
    this.flushes++;
    this.watch.check();
    this.watch.flushTook(performance.now() - this.startedAt, this.stalls);
    this.onFlushed(flight);
    this.onIdle?.();
  };

  private readonly fail = (error: unknown): void => {
    this.flight = undefined;
    this.failed = true;
    this.onFailed(error);
    this.onIdle?.();
  };

  /** Resolves once no flush is under way. */
  async idle(): Promise<void> {
    if (this.flight === undefined) return;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }
}
