/** Bounds of a connection at /client, units last, and why one is closed. */

/** The largest frame that a peer takes from a client; a larger one ends the connection. */
export const CLIENT_FRAME_BYTES_MAX = 1_048_576;

/** A frame of several messages that a peer sends is at most this long; one message alone may be longer. */
export const PEER_FRAME_BYTES_MAX = 262_144;

/** Requests of one connection that have no answer yet; one more is refused as `overloaded`. */
export const UNDER_WAY_MAX = 50_000;

/** A client must have said hello this long after its connection was opened. */
export const HELLO_MS = 5_000;

/** A client is pinged this often, and cut off when this many pings in a row brought nothing back from it. */
export const PING_MS = 5_000;
export const PINGS_MAX = 3;

/** A client that leaves this much unread is cut off. */
export const UNREAD_BYTES_MAX = 67_108_864;

/** Why a peer closes a connection, as WebSocket close codes; the reason says more. 1009: a frame is too large. */
export const CLOSE = {
  /** The peer is stopping. */
  stops: 1001,
  /** The first message is no hello, or a later one is. */
  order: 1002,
  /** A text frame. */
  text: 1003,
  /** A frame that is no array of messages. */
  malformed: 1007,
  /** No hello in time. */
  silent: 1008,
  /** The peer met an error of its own. */
  failed: 1011,
} as const;
