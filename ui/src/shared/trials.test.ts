import { expect, test } from "vitest";
import type { RunStatus, SweepView, TrialRow } from "../api/generated";
import { sweepEvery, tally, tallySentence } from "./trials";

const trials = (...statuses: (RunStatus | null)[]): TrialRow[] =>
  statuses.map((status, index) => ({
    number: index + 1,
    set: [],
    run_id: null,
    status,
    start: null,
    end: null,
    metrics: {},
    doing: null,
    failure: null,
    fails_again: false,
  }));

const view = (status: RunStatus, rows: TrialRow[]): SweepView => ({
  run_id: "s",
  asked: {
    project: "/p",
    stages: [],
    values: [],
    random: null,
    seed: null,
    at_once: null,
    target: "process",
    on: null,
    goal: null,
  },
  status,
  at_once: 1,
  trials: rows,
  best: null,
  failure: null,
  advice: null,
});

test("what failed is done too, and what was stopped is not", () => {
  const all = trials("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED", null);
  expect(tally(all)).toEqual({ done: 2, running: 2, failed: 1, stopped: 1 });
  expect(tallySentence(all)).toBe("2 of 6 done, 2 running, 1 failed, 1 stopped");
  expect(tallySentence(trials(null, null))).toBe("0 of 2 done");
});

test("a sweep is looked at while it goes on, and a large one less often", () => {
  const small = sweepEvery(view("RUNNING", trials("RUNNING")));
  const large = sweepEvery(view("RUNNING", trials(...Array.from({ length: 1000 }, () => null))));
  expect(Number(small)).toBeLessThan(Number(large));
  expect(sweepEvery(view("FINISHED", trials("FINISHED")))).toBe(false);
  expect(sweepEvery(null)).toBe(false);
});
