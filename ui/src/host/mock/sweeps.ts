// One sweep over the sample's training, in every state that its page can be in.
import type {
  Commands,
  Goal,
  PlannedSweep,
  RunRow,
  RunStatus,
  SweepView,
  TrialRow,
} from "../../api/generated";
import { ReportError } from "../index";
import { answers, NOW, PROJECT, random } from "./world";

type Name = "pipeline.plan_sweep" | "pipeline.sweep" | "pipeline.get_sweep";
type Answers = { [N in Name]: (input: Commands[N]["input"]) => Commands[N]["answer"] };

/** How the sweep stands: `?mock&sweep=failed`. */
export type Shape = "done" | "running" | "waiting" | "stopped" | "failed" | "aimless";
export const SHAPES: readonly Shape[] = ["done", "running", "waiting", "stopped", "failed", "aimless"];

export const SWEEP = "5eeb0000000000000000000000000001";
const MINUTE = 60_000;
const TOOK = 42_000;
const LONG_METRIC = "validation.heldout_days.area_under_the_receiver_operating_characteristic";
const LONG = "model.boosting.regularisation.min_samples_in_each_leaf_of_every_tree";

let shape: Shape = "done";
let amount = 12;
let long = false;
export function reshape(to: Shape, trials: number, longNames: boolean): void {
  shape = to;
  amount = trials;
  long = longNames;
}

const goal = (): Goal => ({ metric: long ? LONG_METRIC : "auc", better: "higher" });

const leavesName = () => (long ? LONG : "model.max_leaf_nodes");

export const trialId = (number: number) => `7a1a${String(number).padStart(28, "0")}`;

/** How a trial stands, by its place among all of them. */
function statusOf(number: number): RunStatus | null {
  const part = number / amount;
  switch (shape) {
    case "waiting":
      return null;
    case "failed":
      return number <= 3 ? "FAILED" : null;
    case "running":
      if (part > 0.75) return null;
      return part > 0.6 ? "RUNNING" : number % 7 === 5 ? "FAILED" : "FINISHED";
    case "stopped":
      if (part > 0.5) return null;
      return part > 0.4 ? "KILLED" : "FINISHED";
    case "done":
    case "aimless":
      return number % 11 === 5 ? "FAILED" : "FINISHED";
  }
}

function trial(number: number): TrialRow {
  const next = random(number * 17 + 3);
  next();
  const rate = Number((10 ** (-3 + 3 * next())).toPrecision(3));
  const leaves = [15, 31, 63, 127][Math.floor(next() * 4)] ?? 31;
  const loss = next() < 0.5 ? "log_loss" : "exponential";
  const status = statusOf(number);
  const auc = 0.7 - 0.03 * (Math.log10(rate) + 1.4) ** 2 - Math.abs(leaves - 50) / 4000 + next() * 0.01;
  const start = status === null ? null : NOW - 60 * MINUTE + number * 2000;
  const ended = status !== null && status !== "RUNNING";
  return {
    number,
    set: [`model.learning_rate=${rate}`, `${leavesName()}=${leaves}`, `model.loss=${loss}`],
    run_id: status === null ? null : trialId(number),
    status,
    start,
    end: start !== null && ended ? start + TOOK + next() * 9000 : null,
    metrics:
      status === "FINISHED"
        ? { [goal().metric]: auc, accuracy: 0.74 + next() * 0.05, log_loss: 0.53 - auc / 10 }
        : {},
    doing:
      status === "RUNNING"
        ? "building the image from python:3.11-slim, step 7 of 8: Collecting scikit-learn==1.9.1"
        : null,
    failure:
      status === "FAILED"
        ? long
          ? "stage `train_with_every_feature_of_the_flights` could not be started: the image registry.example.org/machine-learning/flight-delays:2013 is not here, and cannot be pulled"
          : "stage `train` failed: exit code 1"
        : null,
    fails_again: status === "FAILED",
  };
}

const SWEEP_STATUS: Record<Shape, RunStatus> = {
  done: "FINISHED",
  aimless: "FINISHED",
  running: "RUNNING",
  waiting: "RUNNING",
  stopped: "KILLED",
  failed: "FAILED",
};

function adviceOf(trials: TrialRow[]): string | null {
  if (SWEEP_STATUS[shape] === "RUNNING" || trials.every(({ status }) => status === "FINISHED")) return null;
  if (shape === "failed")
    return "The log of a failed trial says why. As long as that is not mended, the same sweep fails again.";
  if (shape === "stopped")
    return "The same sweep again runs only what is missing: what was made comes from the cache.";
  return "One trial failed in the command of a stage, and would again: its log says why. Mend that, or leave the values out.";
}

function view(): SweepView {
  const trials = Array.from({ length: amount }, (_, index) => trial(index + 1));
  const value = ({ metrics }: TrialRow) => metrics[goal().metric] ?? Number.NEGATIVE_INFINITY;
  const finished = trials.filter(({ status }) => status === "FINISHED");
  const best = finished.reduce<TrialRow | null>(
    (known, row) => (known === null || value(row) > value(known) ? row : known),
    null,
  );
  const aimless = shape === "aimless";
  return {
    run_id: SWEEP,
    asked: {
      project: PROJECT,
      stages: [],
      values: ["model.learning_rate=log_uniform(1e-3, 1)", `${leavesName()}=15,31,63,127`],
      random: amount,
      seed: null,
      at_once: 2,
      target: "process",
      on: null,
      goal: aimless ? null : goal(),
    },
    status: SWEEP_STATUS[shape],
    at_once: 2,
    trials,
    best: aimless ? null : (best?.number ?? null),
    failure: shape === "failed" ? "stage `train` failed, and every trial needs it" : null,
    advice: adviceOf(trials),
  };
}

/** The sweep as a run among others. */
export function sweepRow(): RunRow {
  const { status } = view();
  return {
    run_id: SWEEP,
    name: `sweep of ${amount} trials`,
    experiment: "flight-delays",
    status,
    waits: null,
    user: "ada",
    start: NOW - 60 * MINUTE,
    end: status === "RUNNING" ? null : NOW - 41 * MINUTE,
    commit: "3f9c2a1",
    metrics: status === "FINISHED" ? { [goal().metric]: 0.702 } : {},
    params: { learning_rate: "log_uniform(1e-3, 1)", max_leaf_nodes: "15,31,63,127" },
    models: [],
    parent: null,
    children: amount,
  };
}

/** A trial as a run; nothing for another id. */
export function trialRow(run_id: string): RunRow | null {
  const row = view().trials.find((known) => known.run_id === run_id);
  if (!row?.status) return null;
  return {
    ...sweepRow(),
    parent: SWEEP,
    children: 0,
    run_id,
    name: row.set.map((text) => text.replace(/^[^=]*\./, "")).join(", "),
    status: row.status,
    start: row.start ?? NOW,
    end: row.end,
    metrics: row.metrics,
    params: Object.fromEntries(row.set.map((text) => [text.split("=")[0] ?? "", text.split("=")[1] ?? ""])),
  };
}

function valuesOf(text: string, drawn: boolean): string[] {
  const [, values = ""] = /^[^=]*=(.*)$/.exec(text) ?? [];
  const range = /^range\((\d+), *(\d+)\)$/.exec(values);
  if (range) {
    const [from, to] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: to - from }, (_, index) => String(from + index));
  }
  if (/^(log_)?uniform\(.*\)$/.test(values)) {
    if (drawn) return ["0.00123", "0.0456", "0.0789"];
    throw bad(`\`${text.split("=")[0]}\` has endlessly many values: try some of them at random`);
  }
  const listed = values.split(",").map((part) => part.trim());
  if (listed.includes("")) throw bad(`\`${text}\` has an empty value`);
  return listed;
}

const bad = (message: string) =>
  new ReportError({
    code: "invalid",
    name: "pipeline.bad_sweep",
    message,
    hint: "write it as `train.lr=0.1,0.2` or `train.depth=range(2, 9)`",
  });

function plan(input: Commands["pipeline.plan_sweep"]["input"]): PlannedSweep {
  let trials: string[][] = [[]];
  for (const text of input.values) {
    const name = text.split("=")[0] ?? "";
    const values = valuesOf(text, input.random !== null);
    trials = trials.flatMap((point) => values.map((value) => [...point, `${name}=${value}`]));
  }
  const shown = input.random === null ? trials : trials.slice(0, input.random);
  const goal = input.goal?.metric ?? "auc";
  return {
    trials: shown,
    stages: ["train", "evaluate"],
    at_once: input.at_once ?? (input.on ? 16 : 1),
    warning: ["auc", "accuracy", "log_loss", "f1"].includes(goal)
      ? null
      : {
          code: "not_found",
          name: "sweep.unknown_metric",
          message: `no run of this project has had a metric \`${goal}\`: without it no trial is the best`,
          hint: "did you mean `auc`?",
        },
  };
}

export const sweepAnswers: Answers = {
  "pipeline.plan_sweep": plan,
  "pipeline.sweep": (input) => ({ run_id: SWEEP, planned: plan(input) }),
  "pipeline.get_sweep": ({ run_id }) => (run_id === SWEEP ? view() : null),
};

/** What else answers differently because there is a sweep. */
export const besideSweeps: Pick<typeof answers, "pipeline.get" | "runs.get" | "runs.list"> = {
  "pipeline.get": (input) => {
    const going = SWEEP_STATUS[shape] === "RUNNING";
    return { ...answers["pipeline.get"](input), current_sweep: going ? SWEEP : null };
  },
  "runs.get": (input) => {
    const row = input.run_id === SWEEP ? sweepRow() : trialRow(input.run_id);
    const plain = answers["runs.get"](input);
    if (!row) return plain;
    if (input.run_id !== SWEEP) return { ...plain, row, tags: { "mlflow.parentRunId": SWEEP } };
    return {
      ...plain,
      row,
      tags: { "lapwing.sweep": String(amount) },
      jobs: [],
      data: [],
      logged_models: [],
    };
  },
  "runs.list": (input) => {
    const parent = /`mlflow\.parentRunId` = '(\w+)'/.exec(input.filter ?? "")?.[1];
    const trials = view().trials.flatMap(({ run_id }) => trialRow(run_id ?? "") ?? []);
    const page = answers["runs.list"](input);
    if (parent) return { ...page, rows: parent === SWEEP ? trials : [], next_page_token: null };
    if (input.page_token !== null) return page;
    const shown = input.filter?.includes("IS NULL") ? [] : trials;
    const swept = view().trials[0]?.set.map((text) => text.split("=")[0] ?? "") ?? [];
    return {
      ...page,
      rows: [...shown, sweepRow(), ...page.rows],
      param_keys: shown.length > 0 ? [...page.param_keys, ...swept] : page.param_keys,
      goals: shown.length > 0 ? [goal().metric] : [],
      swept: shown.length > 0 ? swept : [],
    };
  },
};
