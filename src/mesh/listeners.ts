/**
 * Who listens to which scopes at this peer.
 * Always true: a listener is first told that its watch begins, then every news of its scope until it stops listening;
 * if the peer had to begin anew, it is told that a watch begins once more, and that it is over when nothing will come
 * any more. Nobody is told anything after it has stopped, nor before `add` has returned.
 */
import type { Peer } from '../peer/peer.ts';
import type { News } from '../peer/told.ts';

/** Told the news of a scope; null: that was all, this peer stops or does not vote. It must not throw. */
export type Listener = (news: News | null) => void;

interface Ear {
  readonly listener: Listener;
  /** Whether it knows with what its watch began. */
  begun: boolean;
  stopped: boolean;
}

export class Listeners {
  private readonly scopes = new Map<string, Set<Ear>>();
  private readonly attempt: (input: () => void) => void;
  private peer: Peer | undefined;
  private over = false;

  /** @param attempt gives the peer an input, now. */
  constructor(attempt: (input: () => void) => void) {
    this.attempt = attempt;
  }

  /** @returns what ends it. */
  add(scope: string, listener: Listener): () => void {
    const ear: Ear = { listener, begun: false, stopped: false };
    const ears = this.scopes.get(scope);
    if (ears === undefined) this.scopes.set(scope, new Set([ear]));
    else ears.add(ear);
    if (this.over) this.end();
    else this.watch(scope);
    return () => this.remove(scope, ear);
  }

  private watch(scope: string): void {
    this.attempt(() => this.peer?.watch(performance.now(), scope));
  }

  private remove(scope: string, ear: Ear): void {
    ear.stopped = true;
    const ears = this.scopes.get(scope);
    if (ears?.delete(ear) !== true || ears.size > 0) return;
    this.scopes.delete(scope);
    this.attempt(() => this.peer?.unwatch(scope));
  }

  /** Another peer drives this process from now on. @param votes only a voter sees what is chosen. */
  enter(peer: Peer, votes: boolean): void {
    this.over = !votes;
    this.peer = peer;
    if (this.over) this.end();
    for (const [scope, ears] of this.scopes) {
      for (const ear of ears) ear.begun = false;
      this.watch(scope);
    }
  }

  tell(all: readonly News[]): void {
    for (const news of all) {
      for (const ear of this.scopes.get(news.scope) ?? []) {
        // A watch begins once more for whoever came later: the others are in the middle of theirs.
        if (ear.begun === (news.begins !== null)) continue;
        ear.begun = true;
        ear.listener(news);
      }
    }
  }

  /** Nothing is told any more. */
  end(): void {
    this.over = true;
    const all = [...this.scopes.values()].flatMap((ears) => [...ears]);
    this.scopes.clear();
    // Later: this may be in the middle of an `add`, which has not returned yet.
    setImmediate(() => {
      for (const ear of all) if (!ear.stopped) ear.listener(null);
    });
  }
}
