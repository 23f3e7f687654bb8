import { expect, test } from 'vitest';
import { packFrame, unpack } from '../../../src/mesh/codec.ts';
import { FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../../src/mesh/limits.ts';
import type { Frame, Message } from '../../../src/peer/messages.ts';
import { frameFromWire } from '../../../src/peer/wire.ts';

function packed(frame: Frame): Buffer[] {
  const all: Buffer[] = [];
  packFrame(frame, (bytes) => all.push(bytes));
  return all;
}

const ask = (n: number): Message => ({ kind: 'ask', scope: `${'x'.repeat(500)}${n}`, ask: n });

test('a frame that fits stays one', () => {
  const frame: Frame = { mesh: 'm', epoch: 1, messages: [ask(1), ask(2)] };
  expect(packed(frame).map((bytes) => frameFromWire(unpack(bytes)))).toEqual([frame]);
});

test('a frame that is too large is split, and no message is lost or out of order', () => {
  const messages = Array.from({ length: 4_000 }, (_, n) => ask(n));
  const all = packed({ mesh: 'm', epoch: 1, messages });
  expect(all.length).toBeGreaterThan(7);
  for (const bytes of all) expect(bytes.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
  expect(all.flatMap((bytes) => frameFromWire(unpack(bytes)).messages)).toEqual(messages);
});

test('what was packed stays as it is while more is packed', () => {
  const first = packed({ mesh: 'm', epoch: 1, messages: [ask(1)] })[0]!;
  const copy = Buffer.from(first);
  for (let n = 0; n < 200; n++) packed({ mesh: 'm', epoch: 1, messages: [ask(n)] });
  expect(first.equals(copy)).toBe(true);
});

test('a single message is not split: it is within the payload or the link refuses it', () => {
  const message: Message = {
    kind: 'accept',
    scope: 'a',
    ballot: { round: 1, peer: 'p', boot: 1 },
    version: 1,
    seq: 1,
    events: Array.from({ length: 600 }, () => ({
      kind: 'ended' as const,
      lockId: 'x'.repeat(60_000) as never,
      ending: 'released' as const,
      note: null,
    })),
    state: null,
  };
  const [bytes, ...rest] = packed({ mesh: 'm', epoch: 1, messages: [message] });
  expect(rest).toEqual([]);
  expect(bytes!.length).toBeGreaterThan(PAYLOAD_BYTES_MAX);
});
