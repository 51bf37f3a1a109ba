// What a monitor found, in words.
import type { ColumnDriftRow, MonitorState, PerformancePoint } from "../api/generated";
import type { Tone } from "../shared/ui";

export const STATE: Record<MonitorState, { tone: Tone; word: string }> = {
  no_data: { tone: "idle", word: "no data yet" },
  good: { tone: "good", word: "good" },
  drifted: { tone: "stale", word: "drifted" },
  degraded: { tone: "failed", word: "degraded" },
};

/** Two or three digits are enough to compare with a limit. */
export function short(value: number | null): string {
  if (value === null) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(size >= 1 ? 4 : size < 0.1 ? 2 : 3)));
}

/** `Jensen–Shannon 0.14, limit 0.1`; without the measure's kind, which goes without saying for a distance. */
export function measured({ test, value, threshold }: ColumnDriftRow): string {
  const name = test.replace(/ distance$/, "");
  if (value === null) return name;
  return `${name} ${short(value)}${threshold === null ? "" : `, limit ${short(threshold)}`}`;
}

/** `carrier: drifted (Jensen–Shannon 0.14, limit 0.1)` */
export function driftSentence(row: ColumnDriftRow): string {
  const word = row.drifted ? "drifted" : row.value === null ? "not compared" : "as before";
  return `${row.column}: ${word} (${row.value === null ? (row.note ?? row.test) : measured(row)})`;
}

export type Window = "all" | "default" | "hour" | "day";

export const WINDOWS: [Window, string][] = [
  ["default", "Newest"],
  ["hour", "Last hour"],
  ["day", "Last day"],
  ["all", "All"],
];

/** When a window begins; rounded to minutes, so that a page asks the same question for a while. */
export function since(window: string, now: number): number | null {
  const minute = Math.floor(now / 60_000) * 60_000;
  if (window === "all") return 0;
  if (window === "hour") return minute - 3_600_000;
  if (window === "day") return minute - 86_400_000;
  return null;
}

export interface VersionLine {
  version: string;
  points: { x: number; y: number | null }[];
}

/** A metric as one line for each model version; each begins where the one before ended, so that none hangs in the air. */
export function byVersion(points: readonly PerformancePoint[], metric: string): VersionLine[] {
  const lines: VersionLine[] = [];
  let last: VersionLine | undefined;
  for (const { from, to, model_versions, metrics } of points) {
    const newest = model_versions.length > 0 ? Math.max(...model_versions) : null;
    const version = newest === null ? (last?.version ?? "no version") : `v${newest}`;
    const point = { x: (from + to) / 2, y: metrics[metric] ?? null };
    if (last?.version !== version) {
      const before = last?.points.at(-1);
      const known = lines.find((line) => line.version === version);
      last = known ?? { version, points: [] };
      if (!known) {
        if (before) last.points.push(before);
        lines.push(last);
      }
    }
    last.points.push(point);
  }
  return lines;
}

/** Metric names of all points, the watched one first. */
export function metricNames(points: readonly PerformancePoint[], watched: string | null): string[] {
  const names = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))].sort();
  return watched && names.includes(watched) ? [watched, ...names.filter((name) => name !== watched)] : names;
}

export const metricWord = (name: string) =>
  ({ auc: "AUC", roc_auc: "ROC AUC", log_loss: "log loss", mae: "MAE", rmse: "RMSE", r2: "R²", f1: "F1" })[
    name
  ] ?? name;
