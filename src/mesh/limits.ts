/** Bounds of links and runner, units last, and how they relate. */

/** The largest WebSocket message that is taken: a promise carries the whole queue of its scope. */
export const PAYLOAD_BYTES_MAX = 33_554_432;

/** A frame of several messages that is larger than this is split. */
export const FRAME_BYTES_MAX = 262_144;

/** A link that has this much waiting to be written is dropped: its peer does not keep up, or is not there. */
export const BUFFERED_BYTES_MAX = 67_108_864;

/** Open sockets, those before their hello included. */
export const LINKS_MAX = 512;

/** A link must have said hello this long after it was opened. */
export const HELLO_MS = 2_000;

/** Each link is pinged this often, and dropped when a ping was not answered for that long. */
export const PING_MS = 500;
export const PING_DEADLINE_MS = 1_500;

/** A dial is given up after this long. */
export const DIAL_MS = 2_000;

/** Pause before the next dial: random, at first up to the least, doubled each time, up to the most. */
export const REDIAL_LEAST_MS = 50;
export const REDIAL_MOST_MS = 2_000;

/** How long a link that was ended waits for the other side to end it too. */
export const CLOSE_MS = 1_000;

/** V9: the event loop stood still if it was not seen for this long, and for that many times the slowest flush. */
export const STALL_MS = 2_000;
export const STALL_FLUSHES = 4;
/** How often the event loop is looked at. */
export const WATCH_MS = 250;

/** Heartbeats of sessions, and the votes on them, may wait this long for others. */
export const BEAT_GATHER_MS = 5;

/** What was seen of other peers is saved with a flush that happens anyway, no more often than this. */
export const SEEN_MS = 1_000;

/** UTF-16 units. */
export const NAME_CHARS_MAX = 64;
export const ADDRESS_CHARS_MAX = 300;
export const REASON_CHARS_MAX = 1_000;

if (FRAME_BYTES_MAX * 2 > PAYLOAD_BYTES_MAX) throw new Error('half a payload must hold a split frame');
if (PAYLOAD_BYTES_MAX * 2 > BUFFERED_BYTES_MAX) throw new Error('a link must be able to buffer two payloads');
if (PING_MS * 2 > PING_DEADLINE_MS) throw new Error('one lost ping must not end a link');
if (WATCH_MS * 4 > STALL_MS) throw new Error('the watchdog must look often enough');
