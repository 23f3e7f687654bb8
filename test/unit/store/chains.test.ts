/**
 * What was written as changes comes back as one register: against a model, with records lost or rolled back, and with
 * counts of what is encoded, without a disk. See crash.test.ts and deltas.test.ts for the disk.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { chainHead, type Head, parseHead } from '../../../src/store/chain.ts';
import { Chains, LIMITS, type Limits, Plan } from '../../../src/store/chains.ts';
import { StoreError } from '../../../src/store/errors.ts';
import { frame } from '../../../src/store/record.ts';
import { grown, TOY_LIMITS, type Toy, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

type Records = ReadonlyMap<string, Buffer>;

/** Chains over a map: each group makes a new one, as it makes a new state of the disk. */
class Bench {
  records: Records = new Map();
  encoded = 0;
  changes = 0;
  /** How often a record was looked up. */
  looked = 0;
  chains: Chains<Toy, ToyWrite>;
  readonly limits: Limits;
  readonly codec = {
    ...toyCodec,
    encode: (toy: Toy) => {
      this.encoded++;
      return toyCodec.encode(toy);
    },
    encodeDelta: (write: ToyWrite) => {
      this.changes++;
      return toyCodec.encodeDelta(write);
    },
  };

  constructor(limits: Limits) {
    this.limits = limits;
    this.chains = this.opened();
  }

  /** Chains that know nothing yet. */
  opened(records?: Records): Chains<Toy, ToyWrite> {
    const shelf = {
      dir: '/data/votes',
      get: (key: string) => {
        this.looked++;
        return (records ?? this.records).get(key);
      },
    };
    return new Chains(shelf, this.codec, this.limits);
  }

  /** One group. */
  put(...writes: readonly [scope: string, write: ToyWrite][]): void {
    const plan = new Plan();
    for (const [scope, write] of writes) this.chains.plan(scope, write, plan);
    const after = new Map(this.records);
    for (const key of plan.dels) after.delete(key);
    for (const [key, value] of plan.puts) after.set(key, value);
    this.records = after;
    this.chains.adopt(plan);
  }

  keys(): string[] {
    return [...this.records.keys()].sort();
  }
}

let bench: Bench;
const LONG = 'x'.repeat(200);

beforeEach(() => {
  bench = new Bench(TOY_LIMITS);
});

/** Writes a base and as many deltas. */
function chain(deltas: number, scope = 'a', held = true): Toy {
  let now = toy(LONG, held);
  bench.put([scope, whole(now.text, held)]);
  for (let n = 0; n < deltas; n++) {
    const write = grown(now, `+${n}`);
    bench.put([scope, write]);
    now = write.toy;
  }
  return now;
}

describe('how a write goes', () => {
  test('a small register lies in one record, a large one has its changes beside it', () => {
    bench.put(['s', whole('small')]);
    bench.put(['s', grown(toy('small'), '+1')]);
    const now = chain(2);
    expect(bench.keys()).toEqual(['da\u0000001', 'da\u0000002', 'ra', 'rs', 'wa']);
    expect(bench.opened().read('s')).toEqual(toy('small+1'));
    expect(bench.opened().read('a')).toEqual(now);
    expect(bench.opened().read('nobody')).toBeUndefined();
  });

  test('a change is not paid for with the whole, nor is a whole looked at for its changes', () => {
    chain(3);
    expect([bench.encoded, bench.changes]).toEqual([1, 3]);
    bench.put(['a', whole(LONG)]);
    expect([bench.encoded, bench.changes]).toEqual([2, 3]);
  });

  test('once the deltas are too many, the register goes whole and they go away', () => {
    bench = new Bench({ ...TOY_LIMITS, deltaBytes: 10_000 });
    let now = chain(TOY_LIMITS.deltas);
    expect(bench.keys()).toHaveLength(2 + TOY_LIMITS.deltas);
    const write = grown(now, '!');
    bench.put(['a', write]);
    now = write.toy;
    expect(bench.keys()).toEqual(['ra', 'wa']);
    expect(bench.opened().read('a')).toEqual(now);
  });

  test('deltas may weigh as much as their base, or a few kB', () => {
    const write = (limits: Limits, base: number, added: number) => {
      bench = new Bench(limits);
      const first = toy('b'.repeat(base));
      bench.put(['a', whole(first.text)]);
      bench.put(['a', grown(first, 'c'.repeat(added))]);
      return bench.encoded;
    };
    const limits = { ...TOY_LIMITS, wholeBytes: 10, deltaBytes: 1000, freeBytes: 10_000 };
    expect(write(limits, 50, 900)).toBe(1);
    expect(write(limits, 50, 1000)).toBe(2);
    expect(write(limits, 2000, 1900)).toBe(1);
    expect(write(limits, 2000, 2000)).toBe(2);
  });

  test('a register that became small lies in one record again', () => {
    chain(3);
    bench.put(['a', whole('small')]);
    expect(bench.keys()).toEqual(['ra']);
    expect(bench.opened().read('a')).toEqual(toy('small'));
  });

  test('a free register does not keep a large base', () => {
    const held = toy('y'.repeat(TOY_LIMITS.freeBytes), true);
    bench.put(['a', whole(held.text, true)]);
    bench.put(['a', grown(held, '+')]);
    expect(bench.encoded).toBe(1);
    bench.put(['a', grown(toy(`${held.text}+`, true), '-', false)]);
    expect(bench.encoded).toBe(2);
  });

  test('a change of another state than was written last goes whole', () => {
    const now = chain(2);
    const other = toy('another past', true);
    bench.put(['a', grown(other, '+')]);
    expect([bench.encoded, bench.changes]).toEqual([2, 2]);
    expect(bench.opened().read('a')).toEqual(toy('another past+', true));
    expect(bench.opened().read('a')).not.toEqual(now);
  });

  test('a head that was forgotten is read again, and the next change is still a change', () => {
    const now = chain(2);
    bench.put(['a', grown(now, '+')]);
    const looked = () => {
      const before = bench.looked;
      bench.chains.plan('a', whole(''), new Plan());
      return bench.looked - before;
    };
    expect(looked()).toBe(0);
    chain(0, 'b');
    expect(looked()).toBe(0);
    for (const scope of ['c', 'd', 'e']) chain(0, scope);
    expect(looked()).toBe(1);
    bench.chains = bench.opened();
    const before = bench.encoded;
    bench.put(['a', grown(toy(`${now.text}+`, true), '+')]);
    expect(bench.encoded).toBe(before);
    expect(bench.opened().read('a')).toEqual(toy(`${now.text}++`, true));
  });

  test('a group of more scopes than are remembered counts whole', () => {
    const now = chain(0);
    bench.put(...['b', 'c', 'd', 'e', 'f'].map((scope): [string, ToyWrite] => [scope, whole(scope)]), [
      'a',
      grown(now, '+'),
    ]);
    for (const scope of ['b', 'c', 'd', 'e', 'f']) expect(bench.opened().read(scope)).toEqual(toy(scope));
    expect(bench.opened().read('a')).toEqual(toy(`${now.text}+`, true));
  });

  test('a plan that is not adopted counts for nothing', () => {
    const now = chain(1);
    bench.chains.plan('a', grown(now, 'lost'), new Plan());
    bench.put(['a', grown(now, 'kept')]);
    expect(bench.opened().read('a')).toEqual(toy(`${now.text}kept`, true));
  });

  test('the limits that ship fit into what a head can say', () => {
    expect(LIMITS.deltas.toString(36).length).toBeLessThanOrEqual(3);
  });
});

const SCOPES = ['a', 'b', 'a\u00000', '\u0001session'];

interface Step {
  readonly scope: string;
  readonly how: 'whole' | 'grown' | 'stray';
  readonly text: string;
  readonly held: boolean;
  readonly forget: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  scope: fc.constantFrom(...SCOPES),
  how: fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom('whole' as const, 'stray' as const) },
    { weight: 8, arbitrary: fc.constant('grown' as const) },
  ),
  text: fc.integer({ min: 0, max: 200 }).map((length) => 't'.repeat(length)),
  held: fc.boolean(),
  forget: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

/** The write of a step, given what the scope was. */
function writeOf({ how, text, held }: Step, before: Toy): ToyWrite {
  if (how === 'whole') return whole(text, held);
  return grown(how === 'grown' ? before : toy(`${before.text}?`, before.held), text, held);
}

/** Every state of the disk that the steps lead through, and what must be read then. */
function history(steps: readonly Step[]): [Records, ReadonlyMap<string, Toy>][] {
  bench = new Bench(TOY_LIMITS);
  const model = new Map<string, Toy>();
  const states: [Records, ReadonlyMap<string, Toy>][] = [[bench.records, new Map()]];
  for (const each of steps) {
    const write = writeOf(each, model.get(each.scope) ?? toy(''));
    bench.put([each.scope, write]);
    model.set(each.scope, write.toy);
    states.push([bench.records, new Map(model)]);
    if (each.forget) bench.chains = bench.opened();
  }
  return states;
}

describe('what is read', () => {
  test('is what was flushed last, at every point of every history', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        for (const [records, model] of history(steps)) {
          const chains = bench.opened(records);
          for (const scope of SCOPES) expect(chains.read(scope)).toEqual(model.get(scope));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('is damage, if one record is missing or is as it was at any time before', () => {
    let rolledBack = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
        const states = history(steps.map((each) => ({ ...each, scope: 'a' })));
        const [records, model] = states.at(-1)!;
        const right = model.get('a');
        for (const [past] of states) {
          for (const key of new Set([...records.keys(), ...past.keys()])) {
            const [was, is] = [past.get(key), records.get(key)];
            if (was === is || (was !== undefined && is !== undefined && was.equals(is))) continue;
            const mixed = new Map(records);
            if (was === undefined) mixed.delete(key);
            else mixed.set(key, was);
            let found: Toy | undefined;
            try {
              found = bench.opened(mixed).read('a');
            } catch (error) {
              expect(error).toBeInstanceOf(StoreError);
              rolledBack++;
              continue;
            }
            // A register that lies whole in one record is as old as that record: the ring of groups sees to it.
            const lone = key === 'ra' && (was === undefined || was[5] === 0);
            if (!lone) expect(found).toEqual(right);
          }
        }
      }),
      { numRuns: 100 },
    );
    expect(rolledBack).toBeGreaterThan(1000);
  });

  test('is damage, if it is not what the head names', () => {
    const now = chain(2);
    const { head } = parseHead(bench.records.get('ra')!.subarray(5)) as { head: Head };
    const other = frame('ra', chainHead({ ...head, stamp: 'another' }));
    const read = () => bench.opened(new Map(bench.records).set('ra', other)).read('a');
    expect(read).toThrow(/record "ra": its deltas lead to .*, not to another/);
    expect(bench.opened().read('a')).toEqual(now);
  });

  test('is damage, if one bit of any record is another', () => {
    chain(4);
    for (const [key, value] of bench.records) {
      for (let at = 0; at < value.length; at++) {
        const changed = Buffer.from(value);
        changed[at]! ^= 1 << (at % 8);
        const records = new Map(bench.records).set(key, changed);
        expect(() => bench.opened(records).read('a')).toThrow(/is damaged: record/);
      }
    }
  });
});
