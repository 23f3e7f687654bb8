/**
 * One voter and those who watch it, with links that are slow and race each other: an honest voter is never refused,
 * a copy of its data is, by each witness that had seen what the copy lacks.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstRoster } from '../../../src/peer/roster.ts';
import { BOOT_RANDOM, type SavedSeen, type Sighting, Standings } from '../../../src/peer/standing.ts';

const ROSTER = firstRoster([{ name: 'v', identity: 'id' }]);
const WITNESSES = 2;

interface Disk {
  counter: number;
  position: number;
}

/** A running process, with its disk; killed when `lives` is false. */
interface Process {
  readonly disk: Disk;
  readonly boot: number;
  lives: boolean;
}

/** Nothing overtakes within a link; it may hold what was sent before its process was killed. */
interface Link {
  readonly process: Process;
  readonly witness: number;
  readonly words: Sighting[];
  readonly questions: number[];
  held: boolean;
}

class World {
  readonly processes: Process[] = [];
  links: Link[] = [];
  readonly witnesses: Standings[] = [];
  private readonly saved: (readonly SavedSeen[])[] = [];
  private random = 0;
  refusals = 0;

  constructor() {
    for (let w = 0; w < WITNESSES; w++) {
      this.witnesses.push(new Standings(ROSTER, []));
      this.saved.push([]);
    }
  }

  start(disk: Disk): Process {
    disk.counter++;
    const process = { disk, boot: disk.counter * BOOT_RANDOM + ++this.random, lives: true };
    this.processes.push(process);
    return process;
  }

  connect(process: Process, witness: number): Link {
    const link = { process, witness, words: [], questions: [], held: false };
    this.links.push(link);
    this.say(link, 'hello');
    return link;
  }

  say(link: Link, kind: Sighting['kind'], question = 0): void {
    const { boot, disk, lives } = link.process;
    if (lives) link.words.push({ kind, name: 'v', identity: 'id', boot, position: disk.position, question });
  }

  /** The witness reads the next word of the link. */
  deliver(link: Link): void {
    const word = link.words.shift();
    if (word === undefined) return;
    if (link.held && word.kind !== 'answer') return;
    const verdict = this.witnesses[link.witness]!.see(word);
    if (verdict.kind === 'ask') {
      link.held = true;
      link.questions.push(verdict.question);
    } else link.held = false;
    if (verdict.kind === 'late' || verdict.kind === 'refuse') this.close(link);
    if (verdict.kind === 'refuse') this.refusals++;
    if (verdict.kind === 'newer') {
      for (const other of this.links.filter(({ witness }) => witness === link.witness)) {
        if (other.process.boot !== word.boot && !other.held && other.words[0]?.kind !== 'hello')
          this.close(other);
      }
    }
  }

  /** The voter reads the next question of the link. */
  answer(link: Link): void {
    const question = link.questions.shift();
    if (question !== undefined) this.say(link, 'answer', question);
  }

  close(link: Link): void {
    this.links = this.links.filter((other) => other !== link);
    const { witness, process } = link;
    if (this.links.some((other) => other.witness === witness && other.process === process)) return;
    this.witnesses[witness]!.closed('v', process.boot);
  }

  /** The witness forgets what it had not saved. */
  restartWitness(w: number): void {
    this.links = this.links.filter(({ witness }) => witness !== w);
    this.witnesses[w] = new Standings(ROSTER, this.saved[w]!);
  }

  save(w: number): void {
    this.saved[w] = this.witnesses[w]!.takeSaved() ?? this.saved[w]!;
  }

  settle(link: Link): void {
    for (let i = 0; i < 50; i++) {
      this.deliver(link);
      this.answer(link);
    }
  }
}

type Action = readonly [kind: number, which: number];

/** Lives of an honest voter: one process at a time on one disk. */
function live(world: World, disk: Disk, actions: readonly Action[]): void {
  let process = world.start(disk);
  for (const [kind, which] of actions) {
    const link = world.links[which % Math.max(1, world.links.length)];
    const w = which % WITNESSES;
    if (kind < 3) world.connect(process, w);
    else if (kind < 6) disk.position += 1 + (which % 3);
    else if (kind === 6) {
      process.lives = false;
      process = world.start(disk);
    } else if (kind === 7) world.save(w);
    else if (kind === 8) world.restartWitness(w);
    else if (link === undefined) continue;
    else if (kind === 9) world.close(link);
    else if (kind < 13) world.answer(link);
    else if (kind < 17) world.say(link, 'ping');
    else world.deliver(link);
  }
}

const actions = fc.array(fc.tuple(fc.nat(29), fc.nat(99)), { maxLength: 200, size: 'max' });
/** The highest that a witness has seen, by what it would save. */
const seenBy = (standings: Standings, saved: readonly SavedSeen[] | undefined) => {
  standings.enter(ROSTER);
  return (saved ?? standings.takeSaved()!)[0];
};

test('an honest voter is never refused', () => {
  const property = fc.property(actions, (todo) => {
    const world = new World();
    live(world, { counter: 0, position: 0 }, todo);
    expect(world.refusals).toBe(0);
  });
  fc.assert(property, { numRuns: 3_000 });
});

test('a copy is refused by every witness that has seen more than it has', () => {
  let refused = 0;
  const property = fc.property(actions, actions, fc.boolean(), (before, after, stopped) => {
    const world = new World();
    const disk = { counter: 0, position: 0 };
    live(world, disk, before);
    const copy = { ...disk };
    for (const process of world.processes) process.lives = false;
    live(world, disk, after);
    if (stopped) for (const process of world.processes) process.lives = false;
    const process = world.start(copy);
    for (let w = 0; w < WITNESSES; w++) {
      const seen = seenBy(world.witnesses[w]!, undefined);
      world.settle(world.connect(process, w));
      const more =
        seen !== undefined &&
        (seen.position > copy.position || Math.floor(seen.boot / BOOT_RANDOM) >= copy.counter);
      expect(world.witnesses[w]!.refusalOf('v') !== undefined).toBe(more);
      if (more) refused++;
    }
  });
  fc.assert(property, { numRuns: 1_000 });
  expect(refused).toBeGreaterThan(300);
});

test('twins that both go on are refused by a witness of both', () => {
  const property = fc.property(actions, fc.integer({ min: 0, max: 5 }), (before, flushes) => {
    const world = new World();
    const disk = { counter: 0, position: 0 };
    live(world, disk, before);
    const older = world.processes.at(-1)!;
    world.settle(world.connect(older, 0));
    const copy = { ...disk };
    const newer = world.start(copy);
    world.settle(world.connect(newer, 0));
    disk.position += flushes;
    world.settle(world.connect(older, 0));
    expect(world.witnesses[0]!.refusalOf('v')?.reason).toBe('twin');
  });
  fc.assert(property, { numRuns: 500 });
});

test('the check can fail: a voter that announces what it has not flushed is refused', () => {
  const world = new World();
  const disk = { counter: 0, position: 5 };
  const process = world.start(disk);
  world.settle(world.connect(process, 0));
  process.lives = false;
  world.settle(world.connect(world.start({ counter: 1, position: 4 }), 0));
  expect(world.refusals).toBe(1);
});
