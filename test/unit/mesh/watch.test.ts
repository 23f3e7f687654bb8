import { beforeEach, describe, expect, test } from 'vitest';
import { Watch } from '../../../src/mesh/watch.ts';

let monotonic: number;
let wall: number;
let stood: number[];
let watch: Watch;

beforeEach(() => {
  monotonic = 1_000;
  wall = 1_700_000_000_000;
  stood = [];
  watch = new Watch(
    () => monotonic,
    () => wall,
    (ms) => stood.push(ms),
  );
});

function pass(ms: number): void {
  monotonic += ms;
  wall += ms;
}

describe('the event loop stood still', () => {
  test('not if it was looked at often enough', () => {
    for (let i = 0; i < 100; i++) {
      pass(1_900);
      expect(watch.check()).toBe(false);
    }
    expect(stood).toEqual([]);
  });

  test('by the monotonic clock, once', () => {
    pass(2_300);
    expect(watch.check()).toBe(true);
    expect(watch.check()).toBe(false);
    expect(stood).toEqual([2_300]);
    expect(watch.stalls).toBe(1);
  });

  test('by the wall clock alone: the machine slept', () => {
    wall += 3_600_000;
    expect(watch.check()).toBe(true);
    expect(stood).toEqual([3_600_000]);
  });

  test('not if the wall clock was set back', () => {
    wall -= 3_600_000;
    expect(watch.check()).toBe(false);
  });

  test('for longer where the disk is slow', () => {
    watch.flushTook(1_000, 0);
    watch.flushTook(10, 0);
    pass(4_200);
    expect(watch.check()).toBe(false);
    pass(4_300);
    expect(watch.check()).toBe(true);
  });

  test('but a flush during which it stood still says nothing about the disk', () => {
    const { stalls } = watch;
    pass(60_000);
    watch.check();
    watch.flushTook(60_000, stalls);
    pass(2_300);
    expect(watch.check()).toBe(true);
  });
});
