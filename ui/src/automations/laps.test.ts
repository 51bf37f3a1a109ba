import { expect, test } from "vitest";
import type { DecisionKind, DecisionRow } from "../api/generated";
import { laps } from "./laps";

const row = (id: number, lap: string, kind: DecisionKind, at: number): DecisionRow => ({
  id,
  lap,
  project: "/p",
  policy: "nightly",
  kind,
  at,
  message: "",
  numbers: {},
  run_id: null,
  model: null,
  deployment: null,
});

test("a lap is told in the order of time and ends with its last decision", () => {
  const found = laps([
    row(3, "b", "kept", 30),
    row(1, "a", "triggered", 1),
    row(2, "a", "promoted", 2),
    row(4, "a", "released", 2),
  ]);
  expect(found.map(({ outcome }) => outcome)).toEqual(["kept", "released"]);
  expect(found[1]?.entries.map(({ id }) => id)).toEqual([1, 2, 4]);
});
