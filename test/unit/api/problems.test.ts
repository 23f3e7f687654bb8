/** The registry, its document and what leaves the server say the same. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { problem } from '../../../src/api/answers.ts';
import {
  PROBLEMS,
  Problem,
  type ProblemCode,
  type ProblemKind,
  problemBody,
} from '../../../src/api/problems.ts';

const kinds = Object.entries(PROBLEMS) as [ProblemCode, ProblemKind][];

test('src/api/ERRORS.md lists every code as the registry has it, and no other', () => {
  const text = readFileSync(new URL('../../../src/api/ERRORS.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const wanted = kinds.map(([code, { status, also = [], certainty, title, next }]) => {
    return `| \`${code}\` | ${[status, ...also].join(', ')} | ${certainty} | ${title} | ${next} |`;
  });
  expect(rows).toEqual(wanted);
});

describe.each(kinds)('%s', (code, kind) => {
  test('never looks like a success', () => {
    for (const status of [kind.status, ...(kind.also ?? [])]) expect(status).toBeGreaterThanOrEqual(400);
  });

  test('tells code, certainty and next as its schema says', () => {
    const body = problemBody(new Problem(code, 'Why.', { scope: 'a', allow: 'GET', retryAfterS: 1 }));
    expect(problem.parse(body)).toEqual(body);
    expect(body).toEqual({
      type: `urn:quorate:problem:${code}`,
      title: kind.title,
      status: kind.status,
      detail: 'Why.',
      code,
      certainty: kind.certainty,
      next: kind.next,
      scope: 'a',
    });
  });
});

test('only what certainly changed nothing is definite', () => {
  const indefinite = kinds.filter(([, kind]) => kind.certainty === 'indefinite').map(([code]) => code);
  expect(indefinite).toEqual(['outcome_unknown', 'internal']);
});
