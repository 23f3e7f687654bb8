/**
 * What can be wrong with a data directory. Always true: the text names the directory, and what to do about it.
 */
export type StoreErrorCode =
  /** Another live process has the directory open. */
  | 'STORE_IN_USE'
  /** What the disk returns isn't what was written: a peer that trusts it could break its word. */
  | 'STORE_DAMAGED'
  /** The disk refused a write, a flush or a read: nothing after the last acknowledged commit may be relied on. */
  | 'STORE_FAILED'
  /** The directory was written by another version of this program, in a format that this one does not have. */
  | 'STORE_TOO_NEW';

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}

const MEND =
  'This peer must not vote with it: move the directory away, start the peer on an empty one and run ' +
  '"quorate roster replace NAME" against the other peers, which keep the votes.';

export function inUse(dir: string, cause: unknown): StoreError {
  return new StoreError(
    'STORE_IN_USE',
    `${dir} is in use by another process: stop that peer, or give this one a data directory of its own.`,
    cause,
  );
}

export function damaged(dir: string, what: string, cause?: unknown): StoreError {
  return new StoreError('STORE_DAMAGED', `${dir} is damaged: ${what}. ${MEND}`, cause);
}

export function failed(dir: string, doing: string, cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(
    'STORE_FAILED',
    `${dir} failed while ${doing}: ${why}. Nothing further is acknowledged; mend the disk, then restart the peer.`,
    cause,
  );
}

export function tooNew(dir: string, format: unknown): StoreError {
  return new StoreError(
    'STORE_TOO_NEW',
    `${dir} has format ${format}, which this version can't read: run the version that wrote it.`,
  );
}
