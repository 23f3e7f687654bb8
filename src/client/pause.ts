/** Pauses before something is tried again: full jitter, so that those who failed together do not return together. */

const LEAST_MS = 50;
const MOST_MS = 2_000;

/** @param failures in a row, 1 or more. @returns milliseconds. */
export function pauseMs(failures: number, random: () => number, mostMs = MOST_MS): number {
  return random() * Math.min(mostMs, LEAST_MS * 2 ** Math.min(failures - 1, 16));
}
