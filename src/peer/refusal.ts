/**
 * Why a peer is refused as a voter (M2), in words that end in the line that mends it.
 * Always true: a refused peer stays up and forwards; only a change of the roster makes it vote.
 */
export type RefusalReason = 'identity' | 'behind' | 'twin' | 'stranger';

export interface Refusal {
  readonly name: string;
  /** The roster under which it is refused. */
  readonly epoch: number;
  readonly reason: RefusalReason;
  /** For people; ends in `mend`. */
  readonly text: string;
  readonly mend: string;
}

const WHY: Record<RefusalReason, string> = {
  identity:
    'the mesh knows this name by another data directory; this one has forgotten its votes (a wiped disk?)',
  behind: 'its data is older than what the mesh has seen of it, so it has forgotten votes (a restored copy?)',
  twin: 'its data directory lives twice: stop one of the two processes',
  stranger: 'it is not in the roster',
};

/** @param address HOST:PORT of the refused peer, for 'stranger'; empty if not known. */
export function refusalOf(name: string, epoch: number, reason: RefusalReason, address = ''): Refusal {
  const mend =
    reason === 'stranger'
      ? `quorate roster add ${name}=${address === '' ? 'HOST:PORT' : address}`
      : `quorate roster replace ${name}`;
  return { name, epoch, reason, mend, text: `${name} does not vote: ${WHY[reason]}. To mend it: ${mend}` };
}
