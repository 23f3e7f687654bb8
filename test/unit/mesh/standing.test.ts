import { expect, test } from 'vitest';
import { standingOf, textOf } from '../../../src/mesh/standing.ts';
import type { FormationView } from '../../../src/peer/formation-view.ts';

const rest = { problems: [] } as unknown as FormationView;

test.each<[Partial<FormationView>, unknown, string]>([
  [{ kind: 'voting' }, { kind: 'voting' }, 'votes'],
  [{ kind: 'observing' }, { kind: 'observing' }, 'forwards, and does not vote'],
  [
    { kind: 'forming', missing: ['p2', 'p3'] },
    { kind: 'forming', missing: ['p2', 'p3'] },
    'the first roster forms, waiting for p2, p3',
  ],
  [
    { kind: 'forming', missing: [] },
    { kind: 'forming', missing: [] },
    'the first roster forms, and goes to the disk',
  ],
])('%o', (view, standing, text) => {
  const whole = { ...rest, ...view } as FormationView;
  expect([standingOf(whole), textOf(whole)]).toEqual([standing, text]);
});
