// What `data.profile` answers.

export interface ColumnProfile {
  name: string;
  kind: string;
  nulls: number;
  distinct: number;
  min: number | null;
  q25: number | null;
  median: number | null;
  q75: number | null;
  max: number | null;
  mean: number | null;
  std: number | null;
  edges: (number | null)[];
  counts: number[];
  top: { value: string; count: number }[];
  warnings: string[];
}

export interface Profile {
  rows: number;
  columns: ColumnProfile[];
}

function isProfile(answer: unknown): answer is Profile {
  return (
    typeof answer === "object" && answer !== null && "columns" in answer && Array.isArray(answer.columns)
  );
}

export function profileOf(answer: unknown): Profile {
  return isProfile(answer) ? answer : { rows: 0, columns: [] };
}
