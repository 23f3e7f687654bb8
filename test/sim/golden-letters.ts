/** What is on its way in a golden interaction, and the words of a command that pick some of it. */
import type { Message } from '../../src/peer/messages.ts';
import { messageInWords } from './golden-words.ts';

export interface Letter {
  /** Indices of peers. */
  readonly from: number;
  readonly to: number;
  readonly message: Message;
}

export type Filter = (letter: Letter) => boolean;

/** @param plain the scope that goes without saying. */
export function headline({ from, to, message }: Letter, plain: string): string {
  return `p${from + 1}->p${to + 1} ${messageInWords(message, plain)}`;
}

/** `from=p1 to=p2 kind=prepare,accept`, in any order; what is not said matches all. */
export function filterOf(words: readonly string[]): Filter {
  const wanted = new Map<string, readonly string[]>();
  for (const word of words) {
    const [key, values] = word.split('=') as [string, string | undefined];
    if (!['from', 'to', 'kind'].includes(key) || values === undefined)
      throw new Error(`no such filter: ${word}`);
    wanted.set(key, values.split(','));
  }
  return ({ from, to, message }) => {
    const is = (key: string, value: string) => wanted.get(key)?.includes(value) ?? true;
    return is('from', `p${from + 1}`) && is('to', `p${to + 1}`) && is('kind', message.kind);
  };
}

/** `400ms`, `30s`, or `none`. */
export function millisOf(text: string | undefined): number {
  const match = /^(\d+)(ms|s)$/.exec(text ?? '');
  if (text === 'none') return 0;
  if (match === null) throw new Error(`no such time: ${text}`);
  return Number(match[1]) * (match[2] === 's' ? 1_000 : 1);
}
