/**
 * The one place through which the authorization of every door passes: who may come in, and who may do what to
 * which scope.
 * Always true: a browser page of another site, even one whose name was made to point here (DNS rebinding),
 * reaches nothing; no door acts on a scope before `authorize` said yes to that action on that scope.
 * There are no accounts yet, so everybody who comes in is nobody in particular and may do everything; that is
 * why an address beyond loopback is refused without `--insecure`.
 */
import { isIP } from 'node:net';
import { Problem } from './problems.ts';

/** Who asks. */
export interface Identity {
  readonly kind: 'anonymous';
}

export const ANONYMOUS: Identity = { kind: 'anonymous' };

export type Action =
  | 'lock'
  | 'unlock'
  | 'extend'
  | 'heartbeat'
  | 'cancel'
  /** To release somebody else's lock. */
  | 'force'
  /** To open, beat or close a session. */
  | 'session'
  | 'status'
  | 'list'
  | 'peers'
  | 'health'
  | 'metrics'
  | 'document';

/** The headers that the guard looks at. */
export interface Credentials {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/** How many Host headers that were found good are remembered. */
const HOSTS_MAX = 1_000;

export class Guard {
  private readonly names: ReadonlySet<string>;
  private readonly anyAddress: boolean;
  private readonly known = new Set<string>();

  /**
   * @param listening the host that this peer listens on.
   * @param names further host names under which clients may call it.
   */
  constructor(listening: string, names: Iterable<string> = []) {
    this.names = new Set([listening, ...names].map((name) => bare(name.toLowerCase())));
    this.anyAddress = isWildcard(listening);
  }

  /** Lets a request in, or throws `forbidden`. Called for every request of every door, before anything else. */
  admit({ host, origin }: Credentials): Identity {
    if (host !== undefined && !this.known.has(host)) {
      if (!this.isOurs(hostOf(host))) {
        throw new Problem(
          'forbidden',
          `The Host header names ${quote(host)}, which is not an address of this peer.`,
        );
      }
      if (this.known.size >= HOSTS_MAX) this.known.clear();
      this.known.add(host);
    }
    if (origin !== undefined && !this.isSameOrigin(host, origin)) {
      throw new Problem(
        'forbidden',
        `The Origin ${quote(origin)} is another site's: its pages may not call this peer.`,
      );
    }
    return ANONYMOUS;
  }

  /** Lets a link of another peer in, or throws `forbidden`: peers are no browsers, and have no Origin. */
  admitLink({ host, origin }: Credentials): void {
    // They may know this peer by names that it does not know itself; a forged name comes with a foreign Origin.
    if (origin !== undefined) this.admit({ host, origin });
  }

  /**
   * Decides whether somebody may do this to that scope; throws `forbidden` if not.
   * @param scope null for what is about no scope in particular.
   */
  authorize(_identity: Identity, _action: Action, _scope: string | null): void {
    // Everybody may do everything until there are accounts.
  }

  private isOurs(host: string | undefined): boolean {
    if (host === undefined) return false;
    if (isLoopback(host) || this.names.has(host)) return true;
    // A page can only forge names, never an address: its own would have to be this machine's.
    return this.anyAddress && isIP(host) !== 0;
  }

  private isSameOrigin(host: string | undefined, origin: string): boolean {
    if (host === undefined || !/^https?:\/\//i.test(origin) || !URL.canParse(origin)) return false;
    const from = new URL(origin);
    if (!this.isOurs(bare(from.hostname))) return false;
    const to = URL.canParse(`${from.protocol}//${host}`) ? new URL(`${from.protocol}//${host}`) : undefined;
    return to !== undefined && to.port === from.port;
  }
}

/** Whether the host is one that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = bare(host.toLowerCase());
  if (name === 'localhost' || name.endsWith('.localhost') || name === '::1') return true;
  if (/^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(name)) return true; // 127.0.0.0/8, mapped into IPv6
  return isIP(name) === 4 && name.startsWith('127.');
}

/** Whether listening on this host means listening on all addresses. */
export function isWildcard(host: string): boolean {
  return ['0.0.0.0', '::', ''].includes(bare(host));
}

/** The host of a Host header, without its port; undefined if it is none. */
function hostOf(header: string): string | undefined {
  if (!/^[\w.:[\]%-]+$/.test(header) || !URL.canParse(`http://${header}`)) return undefined;
  return bare(new URL(`http://${header}`).hostname);
}

/** Without the brackets of IPv6 and the dot of an absolute name. */
function bare(host: string): string {
  if (host.startsWith('[') && host.endsWith(']')) return host.slice(1, -1);
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
}
