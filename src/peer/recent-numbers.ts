/**
 * The last so many numbers that were added, for telling doubles.
 * Written out as a ring beside a set: to take the oldest out of a set walks over all that was taken out before.
 */
export class RecentNumbers {
  private readonly known = new Set<number>();
  private readonly ring: number[] = [];
  private readonly most: number;
  private next = 0;

  constructor(most: number) {
    this.most = most;
  }

  has(number: number): boolean {
    return this.known.has(number);
  }

  /** @param number one that is not among them. */
  add(number: number): void {
    const oldest = this.ring[this.next];
    if (oldest !== undefined) this.known.delete(oldest);
    this.ring[this.next] = number;
    this.next = (this.next + 1) % this.most;
    this.known.add(number);
  }
}
