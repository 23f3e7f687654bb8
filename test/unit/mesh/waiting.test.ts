import { expect, test } from 'vitest';
import { Waiting } from '../../../src/mesh/waiting.ts';

const DONE = { kind: 'no_quorum', missing: [1] } as const;
const GONE = { kind: 'unknown', missing: [] } as const;

test('a reply reaches its request, once', async () => {
  const waiting = new Waiting(() => {});
  let id = 0;
  const reply = waiting.open(undefined, (number) => {
    id = number;
  });
  waiting.settle(id, DONE);
  waiting.settle(id, GONE);
  expect(await reply).toEqual(DONE);
  expect(waiting.size).toBe(0);
});

test('a client that is gone is answered at once, and its request is given up', async () => {
  const gone: number[] = [];
  const waiting = new Waiting((id) => gone.push(id));
  const controller = new AbortController();
  const reply = waiting.open(controller.signal, () => {});
  controller.abort();
  expect(await reply).toEqual(GONE);
  expect(gone).toHaveLength(1);
});

test('a client that goes after its reply is nobody any more', async () => {
  const gone: number[] = [];
  const waiting = new Waiting((id) => gone.push(id));
  const controller = new AbortController();
  let id = 0;
  const reply = waiting.open(controller.signal, (number) => {
    id = number;
  });
  waiting.settle(id, DONE);
  controller.abort();
  expect(await reply).toEqual(DONE);
  expect(gone).toEqual([]);
});

test('at the end whoever still waits learns that the outcome is unknown', async () => {
  const waiting = new Waiting(() => {});
  const replies = [waiting.open(undefined, () => {}), waiting.open(undefined, () => {})];
  waiting.settleAll();
  expect(await Promise.all(replies)).toEqual([GONE, GONE]);
});
