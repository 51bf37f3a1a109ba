import { expect, test } from "vitest";
import type { StartSweep, SweepView, TrialRow } from "../api/generated";
import { type Column, sorted } from "../shared/Table";
import {
  againSentence,
  assigned,
  bestOf,
  bestSentence,
  doneShare,
  failuresOf,
  firstSorting,
  isLogarithmic,
  isUsable,
  metricsOf,
  orderOf,
  otherMetrics,
  shortNames,
  sweptNames,
  sweptValue,
  trialTime,
} from "./sweep";

const trial = (number: number, set: string[], more: Partial<TrialRow> = {}): TrialRow => ({
  number,
  set,
  run_id: `run-${number}`,
  status: "FINISHED",
  start: 1000,
  end: 3000,
  metrics: {},
  doing: null,
  failure: null,
  fails_again: false,
  ...more,
});

const ASKED: StartSweep = {
  project: "/p",
  stages: [],
  values: [],
  random: null,
  seed: null,
  at_once: null,
  target: "process",
  on: null,
  goal: { metric: "loss", better: "lower" },
};

const view = (trials: TrialRow[], more: Partial<SweepView> = {}): SweepView => ({
  run_id: "sweep",
  asked: ASKED,
  status: "FINISHED",
  at_once: 1,
  trials,
  best: null,
  failure: null,
  advice: null,
  ...more,
});

const waiting = { run_id: null, status: null, start: null, end: null };

test("a value keeps its own equals signs", () => {
  expect(assigned("query=a=b")).toEqual(["query", "a=b"]);
  expect(assigned("flag")).toEqual(["flag", ""]);
  expect(sweptValue(trial(1, ["rate=0.1", "rate.decay=2"]), "rate.decay")).toBe("2");
  expect(sweptValue(trial(1, ["rate=0.1"]), "depth")).toBeNull();
});

test("names are cut to what tells them apart", () => {
  const short = shortNames(["model.rate", "data.rate", "model.depth", "conf.yaml:layers"]);
  expect([...short.values()]).toEqual(["model.rate", "data.rate", "depth", "layers"]);
});

test("numbers are sorted as numbers, and words as words", () => {
  const numbers = [trial(1, ["n=10"]), trial(2, ["n=9"]), trial(3, ["n=1e-3"])];
  const words = [trial(1, ["n=10"]), trial(2, ["n=9"]), trial(3, ["n=auto"])];
  const order = (trials: TrialRow[]) => {
    const column: Column<TrialRow> = {
      key: "n",
      title: "n",
      width: "1fr",
      cell: () => null,
      order: orderOf(trials, "n"),
    };
    return sorted(trials, [column], { key: "n", descending: false }).map((row) => sweptValue(row, "n"));
  };
  expect(order(numbers)).toEqual(["1e-3", "9", "10"]);
  expect(order(words)).toEqual(["10", "9", "auto"]);
});

test("the nearest to the goal comes first, and what has no number last", () => {
  const trials = [
    trial(1, [], { metrics: { loss: 0.4 } }),
    trial(2, [], { metrics: { loss: null } }),
    trial(3, [], { metrics: { loss: 0.2 } }),
    trial(4, [], waiting),
  ];
  const column: Column<TrialRow> = {
    key: "metric:loss",
    title: "loss",
    width: "1fr",
    cell: () => null,
    order: ({ metrics }) => metrics.loss ?? null,
  };
  const numbers = (better: "higher" | "lower") =>
    sorted(trials, [column], firstSorting({ metric: "loss", better })).map(({ number }) => number);
  expect(numbers("lower")).toEqual([3, 1, 2, 4]);
  expect(numbers("higher")).toEqual([1, 3, 2, 4]);
  expect(firstSorting(null)).toBeNull();
});

test("the goal's metric leads, even before a trial has it", () => {
  const trials = [trial(1, [], { metrics: { auc: 1, zeta: 1, acc: 1 } })];
  expect(metricsOf(view(trials))).toEqual(["loss", "acc", "auc", "zeta"]);
  expect(otherMetrics(view(trials))).toEqual(["acc", "auc"]);
  expect(metricsOf(view(trials, { asked: { ...ASKED, goal: null } }))).toEqual(["acc", "auc", "zeta"]);
});

test("why there is no best one is said, and only then", () => {
  const done = [trial(1, [], { metrics: { loss: 0.2 } })];
  expect(bestOf(view(done, { best: 1 }))?.number).toBe(1);
  expect(bestSentence(view(done, { best: 1 }))).toBeNull();
  expect(bestSentence(view(done, { asked: { ...ASKED, goal: null } }))).toContain("No goal");
  expect(bestSentence(view([trial(1, [])]))).toBe("No trial has a metric loss.");
  expect(bestSentence(view([trial(1, [], waiting)], { status: "RUNNING" }))).toBeNull();
});

test("a sweep that left trials behind says how to go on", () => {
  const left = [trial(1, []), trial(2, [], { status: "FAILED" }), trial(3, [], waiting)];
  const advice = "The same sweep again runs only what is missing.";
  expect(againSentence(view(left, { status: "KILLED", advice }))).toBe(`2 trials did not finish. ${advice}`);
  expect(againSentence(view(left, { status: "RUNNING" }))).toBeNull();
  expect(againSentence(view([trial(1, [])]))).toBeNull();
  expect(doneShare(left)).toBe(67);
  expect(doneShare([])).toBe(0);
});

test("what trials failed of is told once, with the trials that it happened to", () => {
  const same = { status: "FAILED" as const, failure: "exit code 1" };
  const rows = [
    trial(1, [], same),
    trial(2, []),
    trial(3, [], { ...same, failure: "out of memory" }),
    trial(4, [], same),
  ];
  const told = failuresOf(rows).map(({ text, trials }) => [text, trials.map(({ number }) => number)]);
  expect(told).toEqual([
    ["exit code 1", [1, 4]],
    ["out of memory", [3]],
  ]);
});

test("only what a finished trial tried can be used", () => {
  const usable = (more: Partial<TrialRow>) => isUsable(trial(1, [], more));
  expect(usable({})).toBe(true);
  for (const status of ["FAILED", "KILLED", "RUNNING", null] as const) expect(usable({ status })).toBe(false);
});

test("a trial that runs has taken the time until now", () => {
  expect(trialTime(trial(1, [], { end: null }), 9000)).toBe(8000);
  expect(trialTime(trial(1, []), 9000)).toBe(2000);
  expect(trialTime(trial(1, [], waiting), 9000)).toBeNull();
});

test("what was drawn by powers of ten is drawn so, too", () => {
  const asked = { ...ASKED, values: ["+rate = log_uniform(1e-4, 1e-1)", "depth=uniform(1, 9)"] };
  expect(isLogarithmic(asked, "+rate")).toBe(true);
  expect(isLogarithmic(asked, "depth")).toBe(false);
});

test("a sweep without trials has no parameters", () => {
  expect(sweptNames([])).toEqual([]);
  expect(sweptNames([trial(1, ["a=1", "b=2"])])).toEqual(["a", "b"]);
});
