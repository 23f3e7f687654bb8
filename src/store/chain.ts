/**
 * How a register lies on disk: in one record, if it is small, else as a base and the deltas that came after it.
 *   key                      value, in its frame
 *   r + scope                0, generation, the register as the codec writes it
 *                            1, generation, how many deltas, bytes of the base, bytes of the deltas, newest stamp
 *   w + scope                generation, the register as it was when it was last written whole
 *   d + scope + NUL + nth    generation, the nth delta since (from 1)
 * Always true: the record under `r` is rewritten in the very group that writes a base or a delta, so it tells how
 * many there must be; each writing of the whole raises the generation and deletes the deltas of the one before,
 * in one group. What is read is the register of the newest stamp, or it is damage: a base or a delta that is
 * missing, too many, of another generation or not fit for the state before it.
 */

/** The record under `r`; `stamp` is empty for a register that lies there whole. */
export interface Head {
  readonly chained: boolean;
  readonly generation: number;
  readonly deltas: number;
  readonly baseBytes: number;
  readonly deltaBytes: number;
  /** Names the state that the last delta leads to, or that of the base if there is none. */
  readonly stamp: string;
}

export const NO_HEAD: Head = {
  chained: false,
  generation: 0,
  deltas: 0,
  baseBytes: 0,
  deltaBytes: 0,
  stamp: '',
};

const GENERATION_BYTES = 6;
const WHOLE_HEAD_BYTES = 1 + GENERATION_BYTES;
const CHAIN_HEAD_BYTES = WHOLE_HEAD_BYTES + 3 * 4;

export const headKey = (scope: string): string => `r${scope}`;
export const baseKey = (scope: string): string => `w${scope}`;
/** The digits have no NUL, so two scopes never share a key, whatever they are made of. */
export const deltaKey = (scope: string, nth: number): string =>
  `d${scope}\0${nth.toString(36).padStart(3, '0')}`;

/** What stands before a register that lies under `r` whole. */
export function wholeHead(generation: number): Buffer {
  const bytes = Buffer.alloc(WHOLE_HEAD_BYTES);
  bytes.writeUIntLE(generation, 1, GENERATION_BYTES);
  return bytes;
}

export function chainHead(head: Head): Buffer {
  const bytes = Buffer.allocUnsafe(CHAIN_HEAD_BYTES);
  bytes[0] = 1;
  bytes.writeUIntLE(head.generation, 1, GENERATION_BYTES);
  bytes.writeUInt32LE(head.deltas, WHOLE_HEAD_BYTES);
  bytes.writeUInt32LE(head.baseBytes, WHOLE_HEAD_BYTES + 4);
  bytes.writeUInt32LE(head.deltaBytes, WHOLE_HEAD_BYTES + 8);
  return Buffer.concat([bytes, Buffer.from(head.stamp)]);
}

/** What stands before a base and before a delta. */
export function generationHead(generation: number): Buffer {
  const bytes = Buffer.allocUnsafe(GENERATION_BYTES);
  bytes.writeUIntLE(generation, 0, GENERATION_BYTES);
  return bytes;
}

/** The head, and the register's bytes if it lies whole; or why there is none. */
export function parseHead(payload: Buffer): { head: Head; whole: Buffer | undefined } | string {
  const kind = payload[0];
  if (kind === 0 && payload.length >= WHOLE_HEAD_BYTES) {
    const whole = payload.subarray(WHOLE_HEAD_BYTES);
    return { head: { ...NO_HEAD, generation: generationAt(payload, 1), baseBytes: whole.length }, whole };
  }
  if (kind !== 1 || payload.length < CHAIN_HEAD_BYTES) return `its ${payload.length} bytes are no head`;
  return {
    head: {
      chained: true,
      generation: generationAt(payload, 1),
      deltas: payload.readUInt32LE(WHOLE_HEAD_BYTES),
      baseBytes: payload.readUInt32LE(WHOLE_HEAD_BYTES + 4),
      deltaBytes: payload.readUInt32LE(WHOLE_HEAD_BYTES + 8),
      stamp: payload.toString('utf8', CHAIN_HEAD_BYTES),
    },
    whole: undefined,
  };
}

/** What follows the generation, or why this is no part of that generation. */
export function partOf(payload: Buffer, generation: number): Buffer | string {
  if (payload.length < GENERATION_BYTES) return `its ${payload.length} bytes are too few`;
  const its = generationAt(payload, 0);
  return its === generation
    ? payload.subarray(GENERATION_BYTES)
    : `it is of generation ${its}, not ${generation}`;
}

function generationAt(payload: Buffer, at: number): number {
  return payload.readUIntLE(at, GENERATION_BYTES);
}
