/** Server-sent events, in whatever parts they come. */
import { expect, test } from 'vitest';
import { EventParser } from '../../../src/client/event-parser.ts';

const TEXT =
  ': hello\r\n\r\nid: 1\r\nevent: granted\r\ndata: {"scope":\r\ndata: "a"}\r\n\r\n' +
  'event: released\ndata:{"scope":"b","event":"own"}\n\ndata: no json\n\nretry: 5\n\nid\ndata: {}\n\ndata: {"cut": 1}\n';

const EVENTS = [
  { id: '1', event: 'granted', scope: 'a' },
  { id: '1', event: 'own', scope: 'b' },
  { id: '', event: undefined },
];

test('all at once', () => {
  expect(new EventParser().push(TEXT)).toEqual(EVENTS);
});

test('cut anywhere', () => {
  for (let size = 1; size < 40; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < TEXT.length; at += size) events.push(...parser.push(TEXT.slice(at, at + size)));
    expect(events, `in parts of ${size}`).toEqual(EVENTS);
  }
});
