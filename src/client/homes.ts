/**
 * Which voter is a scope's home, as peers told it last.
 * Always true: the order of the voters is the one that peers hash (src/peer/placement.ts); a voter counts as alive if
 * at least half of those who told of it say so, for one that is cut off takes all others for dead; what is remembered
 * of scopes is bounded, and forgotten when the voters change.
 */
import { hashText, lineOf } from '../peer/placement.ts';
import type { PeerEntry } from '../protocol/messages.ts';

const LINES_MAX = 10_000;

export class Homes {
  /** Of all voters, in the order in which they are hashed; `addresses` and `alive` go with them. */
  names: readonly string[] = [];
  addresses: readonly string[] = [];
  alive: readonly boolean[] = [];
  /** Indices of all voters. */
  all: readonly number[] = [];
  private hashes: readonly number[] = [];
  private readonly lines = new Map<string, readonly number[]>();
  /** By who told it: the voters that are alive. */
  private readonly views = new Map<string, ReadonlySet<string>>();

  /** @param teller whose words these are. */
  learn(teller: string, peers: readonly PeerEntry[]): void {
    const voters = peers.filter(({ role }) => role === 'voter');
    const names = voters.map(({ name }) => name);
    if (names.join() !== this.names.join()) {
      this.lines.clear();
      this.names = names;
      this.hashes = names.map(hashText);
      this.all = names.map((_, i) => i);
    }
    this.addresses = voters.map(({ address }) => address);
    this.views.set(teller, new Set(voters.filter(({ state }) => state === 'alive').map(({ name }) => name)));
    this.judge();
  }

  /** Its words are old: there is no connection to it any more. The last words that there are stay. */
  forget(teller: string): void {
    if (this.views.size > 1 && this.views.delete(teller)) this.judge();
  }

  private judge(): void {
    const views = [...this.views.values()];
    this.alive = this.names.map((name) => 2 * views.filter((view) => view.has(name)).length >= views.length);
  }

  /** Indices of the voters in the order in which they are asked about a scope, the home first. */
  lineOf(scope: string): readonly number[] {
    const known = this.lines.get(scope);
    if (known !== undefined) return known;
    if (this.lines.size >= LINES_MAX) this.lines.clear();
    const line = lineOf(scope, this.hashes);
    this.lines.set(scope, line);
    return line;
  }
}

/**
 * Whether an address that a peer told of is worth a dial from here. One that means "this machine" is, only if the
 * teller itself was reached at the address that it tells of itself: else a port that is forwarded would lead to a peer
 * of another mesh, which may even have the same name.
 * @param own what the teller says of itself. @param dialed where it was reached.
 */
export function isReachable(address: string, own: string, dialed: string): boolean {
  const host = hostOf(address);
  if (host === undefined || host === '0.0.0.0' || host === '[::]') return false;
  if (!isLoopback(host)) return true;
  const here = hostOf(dialed);
  return here !== undefined && isLoopback(here) && portOf(own) === portOf(dialed);
}

function hostOf(address: string): string | undefined {
  const end = address.lastIndexOf(':');
  return end > 0 ? address.slice(0, end) : undefined;
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
