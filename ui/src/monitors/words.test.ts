import { expect, test } from "vitest";
import type { ColumnDriftRow, PerformancePoint } from "../api/generated";
import { byVersion, driftSentence, metricNames, since } from "./words";

const column = (part: Partial<ColumnDriftRow>): ColumnDriftRow => ({
  column: "carrier",
  kind: "categorical",
  test: "Jensen–Shannon distance",
  value: 0.14,
  threshold: 0.1,
  drifted: true,
  note: null,
  distribution: { labels: [], reference: [], current: [] },
  ...part,
});
const point = (from: number, model_versions: number[]): PerformancePoint => ({
  from,
  to: from + 1,
  rows: 1,
  labelled: 1,
  metrics: { accuracy: 1, auc: 1 },
  drifted_share: null,
  model_versions,
});

test("drift is said with its test, value and limit", () => {
  expect(driftSentence(column({}))).toBe("carrier: drifted (Jensen–Shannon 0.14, limit 0.1)");
  expect(driftSentence(column({ test: "Kolmogorov–Smirnov p-value", value: 0.31, drifted: false }))).toBe(
    "carrier: as before (Kolmogorov–Smirnov p-value 0.31, limit 0.1)",
  );
  expect(driftSentence(column({ value: null, drifted: false, note: "fewer than 30 rows" }))).toBe(
    "carrier: not compared (fewer than 30 rows)",
  );
});

test("a window asks the same question within a minute", () => {
  expect(since("hour", 7_200_123)).toBe(since("hour", 7_200_999));
  expect(since("default", 1)).toBeNull();
  expect(since("all", 1)).toBe(0);
});

test("each model version has its own line, which begins where the one before ended", () => {
  const lines = byVersion([point(1, [2]), point(3, [2, 3]), point(5, [3]), point(7, [])], "auc");
  expect(lines.map(({ version }) => version)).toEqual(["v2", "v3"]);
  expect(lines[1]?.points.map(({ x }) => x)).toEqual([1.5, 3.5, 5.5, 7.5]);
});

test("the watched metric comes first", () => {
  expect(metricNames([point(1, [1])], "auc")).toEqual(["auc", "accuracy"]);
});
