// The audit trail as laps: entries of the same round, newest lap first, each lap read from top to bottom in time.
import type { DecisionKind, DecisionRow } from "../api/generated";
import type { Tone } from "../shared/ui";

export interface Lap {
  id: string;
  policy: string;
  /** In the order of time. */
  entries: DecisionRow[];
  /** How it ended, or how far it is. */
  outcome: DecisionKind;
  start: number;
  end: number;
}

export const KIND: Record<DecisionKind, { tone: Tone; word: string }> = {
  triggered: { tone: "stale", word: "triggered" },
  retrained: { tone: "running", word: "retrained" },
  promoted: { tone: "good", word: "promoted" },
  kept: { tone: "idle", word: "kept the champion" },
  released: { tone: "good", word: "released" },
  rolled_back: { tone: "stale", word: "rolled back" },
  failed: { tone: "failed", word: "failed" },
};

export function laps(rows: readonly DecisionRow[]): Lap[] {
  const groups = new Map<string, DecisionRow[]>();
  for (const row of rows) {
    const key = `${row.policy} ${row.lap}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.entries()]
    .flatMap(([id, unsorted]): Lap[] => {
      const entries = [...unsorted].sort((a, b) => a.at - b.at || a.id - b.id);
      const [first, last] = [entries[0], entries.at(-1)];
      if (!first || !last) return [];
      return [{ id, policy: first.policy, entries, outcome: last.kind, start: first.at, end: last.at }];
    })
    .sort((a, b) => b.end - a.end);
}

/** Numbers of an entry, in a stable order, with readable names. */
export function numbersOf(row: DecisionRow): [string, number | null][] {
  return Object.entries(row.numbers)
    .map(([name, value]): [string, number | null] => [name.replaceAll("_", " "), value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
