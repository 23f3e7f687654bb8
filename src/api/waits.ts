/**
 * Requests that may stay open for long, so that a peer that stops can end them.
 * Always true: once they were ended, none waits here and none begins to. What a request would have been answered
 * after that is handed to whoever can undo it.
 */

export class Waits<T> {
  private readonly ends = new Set<() => void>();
  private ended = false;

  get size(): number {
    return this.ends.size;
  }

  /**
   * What `ask` comes to, or undefined if all waits are ended before.
   * @param stopped told then, if `ask` was called. @param late given what came of it all the same.
   */
  until(ask: () => Promise<T>, stopped: () => void, late: (reply: T) => void): Promise<T | undefined> {
    if (this.ended) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      let over = false;
      const end = () => {
        over = true;
        resolve(undefined);
        stopped();
      };
      this.ends.add(end);
      ask().then(
        (reply) => {
          this.ends.delete(end);
          if (over) late(reply);
          else resolve(reply);
        },
        (error) => {
          this.ends.delete(end);
          reject(error);
        },
      );
    });
  }

  endAll(): void {
    this.ended = true;
    for (const end of [...this.ends]) end();
    this.ends.clear();
  }
}
