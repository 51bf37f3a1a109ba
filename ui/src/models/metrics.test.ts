import { expect, test } from "vitest";
import type { VersionRow } from "../api/generated";
import { aliasFault, aliasSentence, keyMetrics } from "./metrics";

const version = (metrics: Record<string, number>): VersionRow => ({
  version: 1,
  created: 0,
  run_id: null,
  run_name: null,
  source: "",
  aliases: [],
  stage: "None",
  description: "",
  tags: {},
  metrics,
  commit: null,
  size: null,
  deployments: [],
});

test("the metrics that people know come first", () => {
  const rows = [version({ a_custom: 1, log_loss: 1, auc: 1 }), version({ val_accuracy: 1 })];
  expect(keyMetrics(rows)).toEqual(["auc", "val_accuracy", "log_loss"]);
});

test("moving an alias names what it replaces", () => {
  expect(aliasSentence("champion", 4, { champion: 3 }, [])).toBe(
    "champion moves from version 3 to version 4.",
  );
  expect(aliasSentence("champion", 3, { champion: 3 }, [])).toContain("already");
  expect(aliasSentence("shadow", 3, {}, [])).toContain("new");
});

test("names that MLflow keeps for itself are refused", () => {
  expect(aliasFault("latest")).not.toBeNull();
  expect(aliasFault("v3")).not.toBeNull();
  expect(aliasFault("champion")).toBeNull();
});
