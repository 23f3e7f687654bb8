/**
 * Durations as people write them: "250ms", "30s", "5m", "2h", "7d", or a bare number of seconds.
 * Always true: what is not exactly that is refused, never guessed, for a misread duration is a misread lease;
 * a duration is a whole number of milliseconds between 0 and DURATION_MAX_MS.
 */

/** One year: longer leases are `none`, and sums of such durations stay far from the end of safe integers. */
export const DURATION_MAX_MS = 365 * 24 * 3_600_000;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const WITH_UNIT = /^(\d{1,15})(ms|s|m|h|d)$/;
/** Seconds; three decimals are whole milliseconds. */
const BARE = /^(\d{1,15})(?:\.(\d{1,3}))?$/;

/** How a duration is written, for messages and documents. */
export const DURATION_FORMS = '"250ms", "30s", "5m", "2h", "7d", or a number of seconds';

/**
 * Reads a duration.
 * @returns milliseconds, or a text that says what is wrong with it.
 */
export function readDuration(input: string | number): number | string {
  const ms = typeof input === 'number' ? fromSeconds(input) : fromText(input);
  if (ms === undefined) return `is no duration: write ${DURATION_FORMS}`;
  if (ms > DURATION_MAX_MS) return 'is longer than a year (365d), which is the most';
  return ms;
}

function fromSeconds(seconds: number): number | undefined {
  if (!Number.isFinite(seconds) || seconds < 0) return undefined;
  const ms = Math.round(seconds * 1_000);
  return Math.abs(ms - seconds * 1_000) < 1e-6 ? ms : undefined;
}

function fromText(text: string): number | undefined {
  const unit = WITH_UNIT.exec(text);
  if (unit !== null) return Number(unit[1]) * UNIT_MS[unit[2] as keyof typeof UNIT_MS];
  const bare = BARE.exec(text);
  if (bare === null) return undefined;
  return Number(bare[1]) * 1_000 + Number((bare[2] ?? '').padEnd(3, '0'));
}

/** A duration for people, two or three digits: "850ms", "2.3s", "4.5m", "3h", "7d". */
export function prettyDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${short(ms / 1_000)}s`;
  if (ms < 3_597_000) return `${short(ms / 60_000)}m`;
  if (ms < 172_800_000) return `${short(ms / 3_600_000)}h`;
  return `${short(ms / 86_400_000)}d`;
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}
