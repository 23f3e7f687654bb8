/**
 * What happened in a run: a line for each thing when traced, and always a running hash of all lines, so that two
 * runs of one seed can be compared.
 */
export class Violation extends Error {
  readonly checker: string;
  constructor(checker: string, detail: string) {
    super(`${checker}: ${detail}`);
    this.checker = checker;
  }
}

export class Journal {
  hash = 0x811c9dc5;
  readonly counts = new Map<string, number>();
  private readonly print: ((line: string) => void) | undefined;
  private readonly clock: () => number;

  constructor(clock: () => number, print: ((line: string) => void) | undefined) {
    this.clock = clock;
    this.print = print;
  }

  /** Counts it, hashes it, and prints it if the run is traced; `detail` is only made then. */
  note(kind: string, a: number, b: number, detail: () => string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    let hash = this.hash;
    for (let i = 0; i < kind.length; i++) hash = Math.imul(hash ^ kind.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (a | 0), 0x01000193);
    hash = Math.imul(hash ^ (b | 0), 0x01000193);
    this.hash = Math.imul(hash ^ (this.clock() * 1000), 0x01000193) >>> 0;
    this.print?.(`${this.clock().toFixed(3).padStart(10)} ${kind.padEnd(10)} ${detail()}`);
  }

  count(kind: string): number {
    return this.counts.get(kind) ?? 0;
  }
}
