/**
 * Which voter usually proposes for a scope: rendezvous hashing, so that each scope has an order of all voters,
 * scopes spread evenly, and a voter that leaves moves only its own scopes.
 * Always true: the order depends on the scope and the voters' names only. Safety never depends on it.
 * Source: D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates" (1998).
 */

/** FNV-1a over UTF-16 units, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The finaliser of MurmurHash3: every input bit moves about half of the output bits. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** @param voters hashes of the voters' names. @returns the voters' indices, the home first. */
export function lineOf(scope: string, voters: readonly number[]): number[] {
  const hash = mix(hashText(scope));
  const line: number[] = [];
  const scores: number[] = [];
  // An insertion sort: this runs for every request, over a few voters.
  for (let voter = 0; voter < voters.length; voter++) {
    const score = mix(hash ^ voters[voter]!);
    let place = voter;
    for (; place > 0 && scores[place - 1]! < score; place--) {
      scores[place] = scores[place - 1]!;
      line[place] = line[place - 1]!;
    }
    scores[place] = score;
    line[place] = voter;
  }
  return line;
}
