/**
 * Asked to end, by Ctrl-C or by whoever runs this process.
 * Always true: the first time ends in order; who asks again a while later gets an end at once. Two signals close
 * together are one: a terminal and a wrapper such as npm both pass on the same Ctrl-C.
 */
const SAME_MS = 1_000;

/** @param inOrder is called once. @param atOnce is called when somebody asks again. */
export function onEnd(
  signals: readonly NodeJS.Signals[],
  inOrder: (why: string) => void,
  atOnce: () => void,
): (why: string) => void {
  let since: number | undefined;
  const end = (why: string) => {
    if (since === undefined) {
      since = performance.now();
      inOrder(why);
    } else if (performance.now() - since > SAME_MS) atOnce();
  };
  for (const signal of signals) process.on(signal, end);
  return end;
}
