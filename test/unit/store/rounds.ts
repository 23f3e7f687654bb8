/** Which scopes a round of the committing child writes: each round others, and each scope again and again. */
export function scopesOf(round: number): string[] {
  return Array.from({ length: 8 }, (_, n) => `orders/${(round * 7 + n * 5) % 40}`);
}
