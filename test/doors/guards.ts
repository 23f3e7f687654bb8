/** What every guard has to do, for the tests of each of them. */
import { expect } from 'vitest';
import { type Fence, type Marks, StaleTokenError } from '../../deploy/guards/fence.ts';

export function fence(fencingToken: number, scope = 'orders', slot = 0): Required<Fence> {
  return { scope, fencingToken, slot };
}

/** 1 to n in an order that looks random and is the same each time. */
export function shuffled(n: number): number[] {
  const tokens = Array.from({ length: n }, (_, i) => i + 1);
  let seed = 42;
  for (let i = n - 1; i > 0; i--) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const j = seed % (i + 1);
    [tokens[i], tokens[j]] = [tokens[j]!, tokens[i]!];
  }
  return tokens;
}

/** @returns which tokens were taken. Any refusal but a stale token fails the test. */
export async function taken(
  tokens: readonly number[],
  write: (token: number) => Promise<void>,
): Promise<number[]> {
  const answers = await Promise.all(
    tokens.map((token) =>
      write(token).then(
        () => [token],
        (error) => {
          expect(error).toBeInstanceOf(StaleTokenError);
          return [];
        },
      ),
    ),
  );
  return answers.flat();
}

export function inOrder(tokens: readonly number[]): number[] {
  return [...tokens].sort((a, b) => a - b);
}

/** First use, stale tokens, slots and what is no token at all. @param marks that have not seen `scope`. */
export async function checkMarks(marks: Marks, scope: string): Promise<void> {
  await marks.raise(fence(5, scope));
  await marks.raise(fence(5, scope));
  await marks.raise(fence(7, scope));
  await expect(marks.raise(fence(6, scope))).rejects.toThrow(StaleTokenError);
  await expect(marks.raise(fence(0, scope))).rejects.toThrow(/stale fencing token 0/);
  await marks.raise(fence(7, scope));
  await marks.raise(fence(6, scope, 1));
  await marks.raise(fence(0, `${scope}, another`));
  await marks.raise(fence(Number.MAX_SAFE_INTEGER - 1, scope));
  await expect(marks.raise(fence(Number.MAX_SAFE_INTEGER - 2, scope))).rejects.toThrow(StaleTokenError);
  for (const none of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, 2 ** 53]) {
    const said = await Promise.resolve()
      .then(() => marks.raise(fence(none, `${scope}, odd`)))
      .catch((error) => error);
    expect(said, String(none)).toBeInstanceOf(TypeError);
  }
}

/** What a file holds that was written under this token: long enough for a reader to see the half of it. */
export function contentOf(token: number): string {
  return `${token}\n`.repeat(300_000);
}
