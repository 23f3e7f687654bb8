/** What a peer may do at present, for doors and for the log. */
import type { FormationView } from '../peer/formation-view.ts';
import type { Standing } from './types.ts';

export function standingOf(view: FormationView): Standing {
  switch (view.kind) {
    case 'forming':
      return { kind: 'forming', missing: view.missing };
    case 'refused':
      return { kind: 'refused', reason: view.refusal.text, mend: view.refusal.mend };
    default:
      return { kind: view.kind };
  }
}

export function textOf(view: FormationView): string {
  switch (view.kind) {
    case 'forming':
      return view.missing.length > 0
        ? `the first roster forms, waiting for ${view.missing.join(', ')}`
        : 'the first roster forms, and goes to the disk';
    case 'voting':
      return 'votes';
    case 'observing':
      return 'forwards, and does not vote';
    case 'refused':
      return view.refusal.text;
  }
}
