/**
 * What one commit brings, as the payload of one group: one array of plain values, packed at once.
 *   [horizon, small records or null: [name, bytes, ...], scope, write, scope, write, ...]
 * Always true: what was packed comes back; other bytes are refused.
 */
import { Packr, RESERVE_START_SPACE } from 'msgpackr';
import { list, natural, WireError } from '../lock/plain.ts';
import { GROUP_HEAD_BYTES } from './segment.ts';
import type { RecordCodec } from './store.ts';

/** Plain values only, as on the wire: no records, no extensions. */
const packr = new Packr({ useRecords: false });

export interface Content {
  readonly horizon: number;
  readonly smalls: readonly (readonly [name: string, value: Buffer])[];
  /** Writes as the codec made them plain. */
  readonly writes: readonly (readonly [scope: string, plain: unknown])[];
}

/**
 * Room for the head of the group, and the payload. The library does not touch these bytes again.
 * @param newest what was written last of a scope. What does not build on that goes whole, whatever it says of itself.
 */
export function packGroup<T, W>(
  codec: Pick<RecordCodec<T, W>, 'isChange' | 'follows' | 'toPlain'>,
  registers: ReadonlyMap<string, W>,
  smalls: ReadonlyMap<string, Buffer>,
  horizon: number,
  newest: (scope: string) => T | undefined,
): Buffer {
  const values: unknown[] = [horizon, smalls.size === 0 ? null : [...smalls].flat()];
  for (const [scope, write] of registers) {
    const asChange = codec.isChange(write) && codec.follows(write, newest(scope));
    values.push(scope, codec.toPlain(write, asChange));
  }
  return packr.pack(values, RESERVE_START_SPACE | GROUP_HEAD_BYTES);
}

export function unpackGroup(payload: Buffer): Content {
  const values = list(packr.unpack(payload), 2, 'group');
  const smalls: (readonly [string, Buffer])[] = [];
  for (const [name, value] of pairs(values[1] === null ? [] : list(values[1], 0, 'group.smalls'), 0)) {
    if (!Buffer.isBuffer(value)) throw new WireError('group.smalls', 'has no bytes');
    // A copy, for what was unpacked is a view of all that was read.
    smalls.push([name, Buffer.from(value)]);
  }
  return { horizon: natural(values[0], 'group.horizon'), smalls, writes: pairs(values, 2) };
}

function pairs(values: readonly unknown[], from: number): (readonly [string, unknown])[] {
  const found: (readonly [string, unknown])[] = [];
  for (let i = from; i < values.length; i += 2) {
    const name = values[i];
    if (typeof name !== 'string' || i + 1 === values.length)
      throw new WireError('group', 'is no list of pairs');
    found.push([name, values[i + 1]]);
  }
  return found;
}
