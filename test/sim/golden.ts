/**
 * Golden interactions: a few commands drive a mesh of real peers by hand, and all that happens is written down.
 *
 *   mesh N [fresh]                       N peers, p1 to pN; fresh: their promise horizons are not raised yet
 *   ask P acquire SCOPE by NAME [lease 30s] [to read] [wait 60s] [poll 2s] [with SESSION] [for 5s] [again]
 *   ask P extend SCOPE by NAME lease 30s | ask P convert SCOPE by NAME to read|write [wait 60s]
 *   ask P release SCOPE by NAME | ask P status SCOPE
 *   ask P open SESSION [ttl 6s] | ask P beat SESSION | ask P close SESSION
 *   watch P SCOPE                        somebody wants to be told what happens to it
 *   gone P NAME                          the client that asked there hangs up
 *   deliver [from=P] [to=P] [kind=K,K]   what is on its way, and what that causes, as far as it matches
 *   drop [from=P] [to=P] [kind=K,K]      what is on its way now is lost
 *   flush [P]                            what waits for the disk lands on it
 *   settle                               deliver and flush until nothing is left to do
 *   wait 400ms                           time passes; nothing is delivered meanwhile
 *   crash P | boot P                     what was not flushed is lost | starts anew with what was
 *   dead P at P | alive P at P           how a peer looks to another
 *   quiet COMMAND                        the same, not written down
 */
import type { LockId, Mode, SessionId } from '../../src/lock/state.ts';
import { hashText, lineOf } from '../../src/peer/placement.ts';
import type { ClientRequest } from '../../src/peer/request.ts';
import type { Row } from '../../src/vote/acceptor.ts';
import { filterOf, millisOf } from './golden-letters.ts';
import { Mesh } from './golden-mesh.ts';

const RULE = '----';

/** @returns the whole text of the file as it must be, given its commands, and the acceptor's rows that it shows. */
export function playGolden(text: string): { readonly text: string; readonly rows: ReadonlySet<Row> } {
  const end = text.indexOf(`\n${RULE}\n`);
  const head = end < 0 ? text.trimEnd() : text.slice(0, end);
  const play = new Play();
  for (const line of head.split('\n')) {
    const command = line.trim();
    if (command !== '' && !command.startsWith('#')) play.run(command);
  }
  return { text: `${head}\n${RULE}\n${play.end()}\n`, rows: play.mesh.rows };
}

class Play {
  mesh = new Mesh(0, true);
  private size = 0;
  /** How often each name has acquired: a lock id is a name and this number. */
  private readonly acquired = new Map<string, number>();
  private readonly scopes = new Set<string>();

  end(): string {
    const { mesh } = this;
    mesh.muted = false;
    mesh.lines.push('', 'in the end');
    mesh.look();
    return mesh.lines.join('\n');
  }

  run(command: string): void {
    const { mesh } = this;
    mesh.muted = command.startsWith('quiet ');
    const [verb, first, second, third, ...rest] = command.replace(/^quiet /, '').split(/\s+/);
    mesh.lines.push(`> ${command}`);
    switch (verb) {
      case 'mesh':
        this.size = Number(first);
        this.mesh = new Mesh(this.size, second === 'fresh');
        break;
      case 'ask':
        this.ask(first, second, third, rest);
        break;
      case 'deliver':
        mesh.deliver(filterOf(wordsOf(first, second, third)));
        break;
      case 'drop':
        mesh.drop(filterOf(wordsOf(first, second, third)));
        break;
      case 'flush':
        mesh.flush(first === undefined ? undefined : mesh.machine(first));
        break;
      case 'settle':
        mesh.settle();
        break;
      case 'wait':
        mesh.wait(millisOf(first));
        break;
      case 'crash':
        mesh.crash(mesh.machine(first));
        break;
      case 'boot':
        mesh.boot(mesh.machine(first));
        break;
      case 'watch':
        mesh.watchScope(mesh.machine(first), second ?? '');
        break;
      case 'gone':
        mesh.abandon(mesh.machine(first), second);
        break;
      case 'dead':
      case 'alive':
        mesh.liveness(mesh.machine(first), mesh.machine(third), verb === 'alive');
        break;
      default:
        throw new Error(`no such command: ${command}`);
    }
  }

  private ask(peer: string | undefined, op = '', scope = '', more: readonly string[] = []): void {
    const { mesh, acquired } = this;
    const after = (word: string, otherwise: string) =>
      more.includes(word) ? (more[more.indexOf(word) + 1] ?? '') : otherwise;
    const name = after('by', 'somebody');
    const leaseMs = millisOf(after('lease', '30s'));
    const repeat = more.includes('again') ? 1 : 0;
    const mode = after('to', 'write') as Mode;
    const waitMs = more.includes('wait') ? millisOf(after('wait', '')) : 0;
    const pollMs = more.includes('poll') ? millisOf(after('poll', '')) : null;
    const lives = after('with', '') as SessionId;
    if (op === 'acquire' && repeat === 0) acquired.set(name, (acquired.get(name) ?? 0) + 1);
    const lockId = `${name}-${acquired.get(name)}` as LockId;
    const mine = { scope, lockId, holder: name, at: 0 };
    const wish = { made: false, named: true, mode, permits: 0, priority: 'normal', reason: null } as const;
    const session = lives === '' ? null : { id: lives, ttlMs: 0, implicit: false };
    const how = { leaseMs, session, waitMs, pollMs, repeat };
    const own = {
      session: scope as SessionId,
      holder: scope,
      ttlMs: millisOf(after('ttl', '6s')),
      list: true,
      at: 0,
    };
    const requests = new Map<string, ClientRequest>([
      ['acquire', { ...mine, ...wish, ...how, op: 'acquire' }],
      ['extend', { ...mine, op: 'extend', leaseMs, replaces: null, mode: null, token: null, waitMs: 0 }],
      ['convert', { ...mine, op: 'extend', leaseMs: null, replaces: null, mode, token: null, waitMs }],
      ['release', { ...mine, op: 'release', force: null }],
      ['status', { op: 'status', scope }],
      ['open', { ...own, op: 'open_session' }],
      ['beat', { ...own, op: 'beat_session' }],
      ['close', { ...own, op: 'close_session' }],
    ]);
    const request = requests.get(op);
    if (request === undefined) throw new Error(`ask ${peer} what? ${op} ${scope}`);
    if ('scope' in request) this.introduce(scope);
    mesh.ask(mesh.machine(peer), name, request, millisOf(after('for', '5s')));
  }

  /** Says once in which order peers are asked about a scope. */
  private introduce(scope: string): void {
    if (this.scopes.has(scope)) return;
    this.scopes.add(scope);
    const names = Array.from({ length: this.size }, (_, i) => `p${i + 1}`);
    const [home, ...others] = lineOf(scope, names.map(hashText)).map((index) => names[index]!);
    this.mesh.say(`the home of ${scope} is ${home}; next in line: ${others.join(', ')}`);
  }
}

function wordsOf(...words: readonly (string | undefined)[]): string[] {
  return words.filter((word) => word !== undefined);
}
