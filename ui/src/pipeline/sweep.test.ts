import { expect, test } from "vitest";
import type { StageRow } from "../api/generated";
import {
  axisAtFault,
  type Draft,
  FIRST_DRAFT,
  faultOf,
  inputOf,
  knownParams,
  likelyBetter,
  planSentence,
  withAxis,
} from "./sweep";

const stage = (params: string[]): StageRow => ({
  name: "train",
  file: "dvc.yaml",
  command: "python train.py",
  description: null,
  deps: [],
  outs: [],
  metrics: [],
  params,
  state: "stale",
  on: null,
  waits: null,
  reasons: [],
  job: null,
  duration_ms: null,
});

const draft = (change: Partial<Draft>): Draft => ({ ...FIRST_DRAFT, ...change });
const axes = (...pairs: [string, string][]) => pairs.map(([name, values], id) => ({ id, name, values }));

test("a mapping that a stage reads is offered by what is in it", () => {
  const stages = [
    stage(['model = {"rate": 0.1, "tree": {"depth": 3}, "kind": "gbm"}', "seed = 7"]),
    stage(["seed = 7"]),
  ];
  expect(knownParams(stages)).toEqual([
    { name: "model.rate", now: "0.1" },
    { name: "model.tree.depth", now: "3" },
    { name: "model.kind", now: "gbm" },
    { name: "seed", now: "7" },
  ]);
});

test("a value with an equals sign or a brace that is no mapping stays whole", () => {
  expect(knownParams([stage(["query = a = b", "pattern = {x"])])).toEqual([
    { name: "query", now: "a = b" },
    { name: "pattern", now: "{x" },
  ]);
});

test("what is not typed yet is asked for, and no server is", () => {
  expect(faultOf(FIRST_DRAFT)).toMatchObject({ at: null, unfinished: true });
  expect(faultOf(draft({ axes: axes(["rate", " "]) }))).toMatchObject({ at: 0, unfinished: true });
  expect(faultOf(draft({ axes: axes(["rate", "1, 2"], ["", "3"]) }))).toMatchObject({
    at: 1,
    unfinished: true,
  });
  expect(faultOf(draft({ axes: axes(["rate", "1, 2"], ["", ""]) }))).toBeNull();
});

test("endlessly many values need a number of trials", () => {
  const endless = draft({ axes: axes(["depth", "range(2, 9)"], ["rate", " log_uniform (1e-4, 1)"]) });
  expect(faultOf(endless)).toMatchObject({ at: 1, unfinished: false });
  expect(faultOf({ ...endless, search: "random" })).toBeNull();
});

test("a number that is none is said at its field", () => {
  const drawn = draft({ axes: axes(["rate", "1, 2"]), search: "random" });
  expect(faultOf({ ...drawn, count: "many" })?.at).toBe("count");
  expect(faultOf({ ...drawn, count: "" })?.at).toBe("count");
  expect(faultOf({ ...drawn, seed: "-1" })?.at).toBe("seed");
  expect(faultOf({ ...drawn, atOnce: "1.5" })?.at).toBe("atOnce");
});

test("the texts of the form become what is asked for", () => {
  const every = draft({
    axes: axes([" model.rate ", " 0.05, 0.1 "], ["", ""]),
    count: "nonsense that is not shown",
    metric: " auc ",
    place: { target: "process", on: "hpc" },
  });
  expect(inputOf("/p", every)).toEqual({
    project: "/p",
    stages: [],
    values: ["model.rate=0.05, 0.1"],
    random: null,
    seed: null,
    at_once: null,
    target: "process",
    on: "hpc",
    goal: { metric: "auc", better: "higher" },
  });
  const drawn = { ...every, search: "random" as const, count: " 12 ", seed: "3", atOnce: "2", metric: "" };
  expect(inputOf("/p", drawn)).toMatchObject({ random: 12, seed: 3, at_once: 2, goal: null });
});

test("a new row has an id of its own, also after one was removed", () => {
  const removed = draft({ axes: [{ id: 4, name: "a", values: "1" }] });
  expect(withAxis(removed).map(({ id }) => id)).toEqual([4, 5]);
});

test("of losses and errors less is better", () => {
  for (const name of ["loss", "val_loss", "valLoss", "log-loss", "rmse", "test.mae", "error_rate"])
    expect(likelyBetter(name), name).toBe("lower");
  for (const name of ["auc", "accuracy", "f1", "glossary", "terror_score"])
    expect(likelyBetter(name), name).toBe("higher");
});

test("a plan is one sentence", () => {
  const planned = {
    trials: Array.from({ length: 12 }, () => []),
    stages: ["train", "evaluate"],
    at_once: 1,
    warning: null,
  };
  expect(planSentence(planned)).toBe("12 trials, 1 at a time; in each: train → evaluate");
});

test("a refusal is shown at the parameter that it names, and one that names none is not", () => {
  const report = (message: string) => ({ code: "invalid" as const, name: "x", message, hint: null });
  const rows = axes(["model.rate", "0.1,"], ["model.depth", "3"]);
  expect(axisAtFault(report("`model.rate=0.1,` has an empty value"), rows)).toBe(0);
  expect(axisAtFault(report("params.yaml has no place for `model.depth`: it is not there"), rows)).toBe(1);
  expect(axisAtFault(report("stage `train` has no command"), rows)).toBeNull();
  expect(axisAtFault(report("`model` spans several lines"), rows)).toBeNull();
});
