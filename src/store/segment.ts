/**
 * How a segment of the vote log lies in its file: a head, written twice, and behind it one group per commit.
 *   offset   head (at 0 and at 4096)             group (from 8192 on, one right behind the other)
 *   0        "quorate votes 3\n"                 salt of the segment
 *   8                                            bytes of the payload
 *   12                                           checksum of all the rest of the group
 *   16       identity of the store               position: the number of the commit
 *   24                                           payload
 *   32, 40   number of the segment, its salt
 *   48       position that the shelf had then
 *   56       checksum
 * Always true: a group is written only once the one before it was flushed, and the salt is drawn anew whenever the
 * file is used anew. So what does not check out and has no salt behind it was never acknowledged: it is the end of
 * the segment, be it a torn group, zeros or what the file held before. If there is a salt behind it, it was
 * acknowledged, and the segment is damaged. Nobody outside knows the salt, so no payload has it by design.
 */
import { crc32 } from 'node:zlib';

export interface SegmentHead {
  readonly identity: string;
  /** Segments are numbered in the order of their use, from 1. */
  readonly number: number;
  readonly salt: Buffer;
  /** The shelf had all commits up to this one when the file was taken into use. */
  readonly shelved: number;
}

export interface Group {
  readonly position: number;
  readonly payload: Buffer;
  /** All of it, and where it begins. */
  readonly bytes: Buffer;
  readonly at: number;
}

export interface Groups {
  readonly groups: readonly Group[];
  /** Where the next group goes. */
  readonly end: number;
}

const MAGIC = Buffer.from('quorate votes 3\n');
const IDENTITY_BYTES = 16;
export const SALT_BYTES = 8;
const HEAD_BYTES = 60;
const CHECKSUM_AT = 56;
/** Two copies in different pages, the second flushed after the first: a crash spoils one of them at most. */
export const HEADS_AT: readonly number[] = [0, 4096];
export const GROUPS_AT = 8192;
/** What stands before the payload of a group; `sealGroup` fills it. */
export const GROUP_HEAD_BYTES = 24;

export function headBytes({ identity, number, salt, shelved }: SegmentHead): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(bytes);
  bytes.write(identity, 16, IDENTITY_BYTES, 'latin1');
  bytes.writeDoubleLE(number, 32);
  salt.copy(bytes, 40);
  bytes.writeDoubleLE(shelved, 48);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return bytes;
}

/** The head of a segment, from the first copy that is one; undefined if none is. */
export function headOf(file: Buffer): SegmentHead | undefined {
  for (const at of HEADS_AT) {
    const bytes = file.subarray(at, at + HEAD_BYTES);
    if (bytes.length < HEAD_BYTES || !bytes.subarray(0, 16).equals(MAGIC)) continue;
    if (bytes.readUInt32LE(CHECKSUM_AT) !== crc32(bytes.subarray(0, CHECKSUM_AT))) continue;
    const identity = bytes.toString('latin1', 16, 16 + IDENTITY_BYTES);
    const salt = Buffer.from(bytes.subarray(40, 40 + SALT_BYTES));
    return { identity, number: bytes.readDoubleLE(32), salt, shelved: bytes.readDoubleLE(48) };
  }
  return undefined;
}

/** Fills what stands before the payload. */
export function sealGroup(group: Buffer, salt: Buffer, position: number): void {
  group.set(salt, 0);
  group.writeUInt32LE(group.length - GROUP_HEAD_BYTES, 8);
  group.writeDoubleLE(position, 16);
  group.writeUInt32LE(checksum(group), 12);
}

/** All groups of a segment, in their order; or why it is damaged. */
export function groupsOf(file: Buffer, salt: Buffer): Groups | string {
  const groups: Group[] = [];
  let at = GROUPS_AT;
  for (;;) {
    const group = groupAt(file, at, salt);
    if (group === undefined) break;
    const before = groups.at(-1);
    if (before !== undefined && group.position !== before.position + 1)
      return `commit ${group.position} follows commit ${before.position} at byte ${at}`;
    groups.push(group);
    at += group.bytes.length;
  }
  const next = file.indexOf(salt, at + 1);
  return next < 0
    ? { groups, end: at }
    : `the commit at byte ${at} is not what was written, but there is one at byte ${next}`;
}

function groupAt(file: Buffer, at: number, salt: Buffer): Group | undefined {
  if (file.length < at + GROUP_HEAD_BYTES || file.compare(salt, 0, SALT_BYTES, at, at + SALT_BYTES) !== 0)
    return undefined;
  const end = at + GROUP_HEAD_BYTES + file.readUInt32LE(at + 8);
  if (end > file.length) return undefined;
  const bytes = file.subarray(at, end);
  if (checksum(bytes) !== bytes.readUInt32LE(12)) return undefined;
  return { position: bytes.readDoubleLE(16), payload: bytes.subarray(GROUP_HEAD_BYTES), bytes, at };
}

function checksum(group: Buffer): number {
  return crc32(group.subarray(16), crc32(group.subarray(0, 12)));
}
