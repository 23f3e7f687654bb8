/**
 * What we want to reach, and whether we did.
 */

export interface Goal {
  readonly text: string;
  /** NaN: not measured. */
  readonly value: number;
  /** Left out: there is only a wish. */
  readonly goal?: number;
  /** Better than the goal, and wanted too. */
  readonly reach?: number;
  /** Whether less is better. */
  readonly atMost?: boolean;
  /** What it is counted in, written behind the numbers. */
  readonly unit: string;
}

type Verdict = 'not measured' | 'missed' | 'met' | 'reached' | 'not reached';

export function judge({ value, goal, reach, atMost = false }: Goal): Verdict {
  if (Number.isNaN(value)) return 'not measured';
  const good = (wanted: number) => (atMost ? value <= wanted : value >= wanted);
  if (reach !== undefined && good(reach)) return 'reached';
  if (goal === undefined) return 'not reached';
  return good(goal) ? 'met' : 'missed';
}

/** One line for people. */
export function goalLine(goal: Goal): string {
  const { text, value, unit, atMost = false, reach } = goal;
  const sign = atMost ? 'at most' : 'at least';
  const wanted = [
    ...(goal.goal === undefined ? [] : [`goal ${sign} ${goal.goal}${unit}`]),
    ...(reach === undefined ? [] : [`reach ${reach}${unit}`]),
  ];
  const measured = Number.isNaN(value) ? '-' : `${Number(value.toPrecision(3))}${unit}`;
  return `${text}: ${measured} (${wanted.join(', ')}): ${judge(goal)}`;
}
