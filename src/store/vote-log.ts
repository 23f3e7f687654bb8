/**
 * The vote log: two files that take turns as segments, written from front to back, one group per commit.
 * Always true: a group is acknowledged only after its flush; a file is used anew only once the shelf has all that
 * is in it. So the groups from the one after the shelf's position on are there without a gap, or it is damage.
 * The files are made once, at full size, and never renamed, grown or deleted: a flush then changes nothing but
 * bytes, and no directory needs one. Only a group that is larger than a segment makes its file grow.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { damaged } from './errors.ts';
import { type Done, FlushedFile, flushNames } from './flushed-file.ts';
import {
  GROUPS_AT,
  type Group,
  type Groups,
  groupsOf,
  HEADS_AT,
  headBytes,
  headOf,
  SALT_BYTES,
  type SegmentHead,
  sealGroup,
} from './segment.ts';

const NAMES = ['segment-a', 'segment-b'] as const;

interface Segment {
  readonly file: FlushedFile;
  head: SegmentHead;
}

/** What was found on opening: the groups of the segment before, if the shelf may lack some, and of the newest. */
export interface Found {
  readonly log: VoteLog;
  readonly before: readonly Group[];
  readonly newest: readonly Group[];
}

export class VoteLog {
  readonly #bytes: number;
  #active: Segment;
  #spare: Segment;
  #end = GROUPS_AT;
  /** Whether the spare segment may be written. */
  #ready = false;

  private constructor(active: Segment, spare: Segment, bytes: number) {
    this.#active = active;
    this.#spare = spare;
    this.#bytes = bytes;
  }

  /**
   * Makes the files, whatever an attempt that was broken off has left: only a shelf that names them makes them count.
   * @param position the last commit that the shelf has.
   */
  static async create(dir: string, identity: string, position: number, bytes: number): Promise<VoteLog> {
    const files = openFiles(dir, true);
    try {
      const [first, second] = files.map((file, i) => ({ file, head: headFor(identity, i + 1, position) }));
      for (const { file, head } of [first!, second!]) {
        await file.resize(0);
        await writeHeads(file, head);
      }
      await first!.file.resize(bytes);
      flushNames(dir);
      return new VoteLog(first!, second!, bytes);
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  /**
   * Reads all there is, and flushes the last group once more: who wrote it may not have lived to see it flushed.
   * @param position the last commit that the shelf has.
   */
  static async open(dir: string, identity: string, position: number, bytes: number): Promise<Found> {
    const missing = NAMES.find((name) => !existsSync(join(dir, name)));
    if (missing !== undefined) throw damaged(dir, `${missing} is missing`);
    const files = openFiles(dir, false);
    try {
      const [older, newer] = files
        .map((file) => readSegment(dir, file, identity))
        .sort((a, b) => a.head.number - b.head.number);
      if (newer!.head.number !== older!.head.number + 1)
        throw damaged(dir, `segment ${older!.head.number} is followed by segment ${newer!.head.number}`);
      const shelved = Math.max(older!.head.shelved, newer!.head.shelved);
      if (shelved > position)
        throw damaged(dir, `commits from ${position + 1} to ${shelved} are missing on the shelf`);
      checkPositions(dir, [...older!.groups, ...newer!.groups], position);
      const begun = newer!.groups.length > 0;
      const [active, spare] = begun ? [newer!, older!] : [older!, newer!];
      // Only file and head are kept: the groups hold on to all that was read.
      const [one, other] = [active, spare].map(({ file, head }) => ({ file, head }));
      const log = new VoteLog(one!, other!, bytes);
      log.#end = active.end;
      const last = active.groups.at(-1);
      if (last !== undefined) await active.file.flushed(last.bytes, last.at);
      return { log, before: begun ? older!.groups : [], newest: active.groups };
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  /** Whether a group of so many bytes goes into the segment that is being written. */
  fits(length: number): boolean {
    return this.#end + length <= this.#bytes || this.#end === GROUPS_AT;
  }

  /** The part of the segment that is full. */
  get filled(): number {
    return this.#end / this.#bytes;
  }

  /** Whether there is another segment to go on in. */
  get mayTurn(): boolean {
    return this.#ready;
  }

  /** Goes on in the other segment. */
  turn(): void {
    [this.#active, this.#spare] = [this.#spare, this.#active];
    this.#end = GROUPS_AT;
    this.#ready = false;
  }

  /** Writes a group that `sealGroup` has yet to fill. One at a time, and none after one that failed. */
  append(group: Buffer, position: number, done: Done): void {
    const { file, head } = this.#active;
    sealGroup(group, head.salt, position);
    file.write(group, this.#end, (error) => {
      if (error === null) this.#end += group.length;
      done(error);
    });
  }

  /** The shelf has all that is in the other segment, up to `position`: it is made ready for what comes after this one. */
  async recycle(position: number): Promise<void> {
    const { identity, number } = this.#active.head;
    const spare = this.#spare;
    spare.head = headFor(identity, number + 1, position);
    await writeHeads(spare.file, spare.head);
    await spare.file.resize(this.#bytes);
    this.#ready = true;
  }

  close(): void {
    this.#active.file.close();
    this.#spare.file.close();
  }
}

function openFiles(dir: string, create: boolean): FlushedFile[] {
  const files: FlushedFile[] = [];
  try {
    for (const name of NAMES) files.push(new FlushedFile(join(dir, name), create));
    return files;
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

function headFor(identity: string, number: number, shelved: number): SegmentHead {
  return { identity, number, salt: randomBytes(SALT_BYTES), shelved };
}

/** One copy after the other, so that a crash spoils one of them at most. */
async function writeHeads(file: FlushedFile, head: SegmentHead): Promise<void> {
  for (const at of HEADS_AT) await file.flushed(headBytes(head), at);
}

function readSegment(dir: string, file: FlushedFile, identity: string): Segment & Groups {
  const content = file.content();
  const head = headOf(content);
  if (head === undefined) throw damaged(dir, `${file.path} has no head`);
  if (head.identity !== identity)
    throw damaged(dir, `${file.path} is of the store ${head.identity}, not of ${identity}`);
  const found = groupsOf(content, head.salt);
  if (typeof found === 'string') throw damaged(dir, `${file.path}: ${found}`);
  return { file, head, ...found };
}

/** What comes after the shelf's position must be there without a gap. */
function checkPositions(dir: string, groups: readonly Group[], position: number): void {
  const first = groups[0];
  if (first === undefined) return;
  let expected = Math.min(first.position, position + 1);
  for (const group of groups) {
    if (group.position !== expected) {
      const are =
        expected === group.position - 1 ? `commit ${expected} is` : `commits from ${expected} on are`;
      throw damaged(dir, `${are} missing before commit ${group.position}`);
    }
    expected++;
  }
  if (expected <= position)
    throw damaged(dir, `commits from ${expected} to ${position} are missing in the log`);
}
