// The flight-delays sample as it looks after a few laps.
import type {
  Commands,
  Exchanged,
  JobRow,
  LogChunk,
  Overview,
  ProjectDetail,
  RemoteKind,
  RemoteRow,
  RunRow,
  StageRow,
  Status,
  WaitingRun,
} from "../../api/generated";
import { deploymentAnswers } from "./deployments";
import { exportAnswers } from "./exports";

type Name = keyof Commands;
/** Sweeps are made up in a file of their own. */
type Here = Exclude<Name, "pipeline.plan_sweep" | "pipeline.sweep" | "pipeline.get_sweep">;
export type Answers = { [N in Here]: (input: Commands[N]["input"]) => Commands[N]["answer"] };

export const PROJECT = "/home/ada/work/flight-delays";
export const NOW = Date.now();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The same numbers on every start. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function hex(seed: number, length = 32): string {
  const next = random(seed * 7919 + 13);
  return Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join("");
}

let amount = 24;
let long = false;
export function resize(runs: number, longNames: boolean): void {
  amount = runs;
  long = longNames;
}
const LONG =
  "a-name-that-somebody-generated-from-every-hyperparameter-lr0.05-leaves31-depth12-seed7-fold3-rerun";

const NAMES = [
  "brisk-heron",
  "calm-plover",
  "swift-dunlin",
  "bold-curlew",
  "quiet-avocet",
  "keen-snipe",
  "warm-godwit",
];

export const status: Status = {
  version: "0.1.0",
  workspace: "/home/ada/.local/share/lapwing",
  workspace_bytes: 1_283_000_000,
  tracking_url: "http://127.0.0.1:5000",
  docker: true,
  running_jobs: 1,
  open_alerts: 2,
  home: "/home/ada",
};

const project: ProjectDetail = {
  path: PROJECT,
  name: "flight-delays",
  trusted: true,
  branch: "main",
  commit: "3f9c2a1",
  commit_message: "Add July's flights",
  dirty: true,
  git: { branch: "main", remote: "origin", upstream: "origin/main", ahead: 2, behind: 1 },
  config_error: null,
};

function exchanged(commits: number): Exchanged {
  const position = { branch: "main", remote: "origin", upstream: "origin/main", ahead: 0, behind: 0 };
  return { position, commits, data: commits === 1 };
}

function runRow(index: number): RunRow {
  const next = random(index + 1);
  const state: RunRow["status"] =
    index === 0 ? "RUNNING" : index % 9 === 4 ? "FAILED" : index % 17 === 11 ? "KILLED" : "FINISHED";
  const start = NOW - (index === 0 ? 3 * MINUTE : index * 5.3 * HOUR + 20 * MINUTE);
  const auc = 0.64 + next() * 0.06;
  const rate = [0.02, 0.05, 0.1][index % 3] ?? 0.05;
  return {
    run_id: hex(index + 100),
    name: long ? `${LONG}-${index}` : `${NAMES[index % NAMES.length]}-${800 - (index % 800)}`,
    experiment: "flight-delays",
    status: state,
    waits: null,
    user: "ada",
    start,
    end: state === "RUNNING" ? null : start + 80_000 + next() * 90_000,
    commit: hex(index >> 2, 7),
    metrics:
      state === "FAILED"
        ? {}
        : {
            auc,
            accuracy: 0.75 + next() * 0.05,
            log_loss: index === 6 ? null : 0.52 - next() * 0.06,
            f1: 0.41 + next() * 0.1,
          },
    params: {
      learning_rate: String(rate),
      max_iter: String(200 + (index % 4) * 50),
      max_leaf_nodes: index % 2 ? "31" : "63",
      min_samples_leaf: "40",
      seed: "7",
    },
    models: index === 1 ? ["flight-delays v3"] : index === 5 ? ["flight-delays v2"] : [],
    parent: null,
    children: 0,
  };
}

function allRuns(): RunRow[] {
  return Array.from({ length: amount }, (_, index) => runRow(index));
}

const STAGES: StageRow[] = [
  stage(
    "clean",
    "python src/clean.py",
    "Keep what is known before departure",
    ["data/raw", "data/weather-2013.parquet", "src/clean.py"],
    ["data/clean"],
    [],
    "fresh",
    [],
    8200,
  ),
  stage(
    "features",
    "python src/features.py",
    "One row for each flight, split by day",
    ["data/clean", "src/clean.py", "src/features.py"],
    ["data/train.parquet", "data/heldout.parquet"],
    ["data.last_months = 6", "data.holdout_every = 5"],
    "fresh",
    [],
    14_100,
  ),
  stage(
    "train",
    "python src/train.py",
    "Gradient boosting, tracked with mlflow.autolog()",
    ["data/train.parquet", "src/features.py", "src/train.py"],
    ["model.joblib"],
    [
      "model.learning_rate = 0.05",
      "model.max_iter = 250",
      "model.max_leaf_nodes = 31",
      "model.min_samples_leaf = 40",
      "model.seed = 7",
    ],
    "running",
    ["model.learning_rate changed from 0.1 to 0.05"],
    null,
  ),
  stage(
    "evaluate",
    "python src/evaluate.py",
    "Scores on the days that training never saw",
    ["data/heldout.parquet", "model.joblib", "src/evaluate.py"],
    ["plots/roc.csv", "plots/calibration.csv"],
    [],
    "stale",
    ["model.joblib will change, because train runs", "src/evaluate.py changed"],
    6100,
  ),
];

function stage(
  name: string,
  command: string,
  description: string,
  deps: string[],
  outs: string[],
  params: string[],
  state: StageRow["state"],
  reasons: string[],
  duration_ms: number | null,
): StageRow {
  const metrics = name === "evaluate" ? ["metrics.json"] : [];
  return {
    name,
    file: "dvc.yaml",
    command,
    description,
    deps,
    outs,
    metrics,
    params,
    state,
    on: name === "train" ? "hpc" : null,
    waits: null,
    reasons,
    job: `job-${name}`,
    duration_ms,
  };
}

function job(
  id: string,
  title: string,
  state: JobRow["status"],
  age: number,
  took: number | null,
  more: Partial<JobRow> = {},
): JobRow {
  const started = state === "queued" ? null : NOW - age;
  return {
    id,
    title,
    status: state,
    outcome: state === "failed" ? "exit code 1" : null,
    why: null,
    on: null,
    target: "process",
    project: PROJECT,
    run_id: null,
    stage: null,
    created: NOW - age - 400,
    started,
    ended: took !== null && started !== null ? started + took : null,
    ...more,
  };
}

function jobs(): JobRow[] {
  const run = runRow(0).run_id;
  const rows = [
    job("job-train", "train", "running", 2 * MINUTE, null, { run_id: run, stage: "train" }),
    job("job-evaluate", "evaluate", "queued", 1 * MINUTE, null, { run_id: run, stage: "evaluate" }),
    job("job-features", "features", "succeeded", 3 * MINUTE, 14_100, { run_id: run, stage: "features" }),
    job("job-clean", "clean", "succeeded", 3.4 * MINUTE, 8200, { run_id: run, stage: "clean" }),
    job("job-deploy", "deploy flight-delays@champion", "succeeded", 2 * HOUR, 21_000, { target: "docker" }),
    job("job-train-0", "train", "failed", 9 * HOUR, 3100, { run_id: runRow(4).run_id, stage: "train" }),
    job("job-env", "prepare the environment", "cancelled", 26 * HOUR, 40_000),
    job("job-lost", "evaluate", "lost", 49 * HOUR, null, { stage: "evaluate" }),
  ];
  if (amount < 1000) return rows;
  return [
    ...rows,
    ...Array.from({ length: 9992 }, (_, index) =>
      job(`job-${hex(index, 8)}`, "train", "succeeded", DAY + index * HOUR, 90_000, { stage: "train" }),
    ),
  ];
}

const LOG = Array.from({ length: 240 }, (_, index) => {
  if (index === 0) return "$ python src/train.py";
  if (index === 1)
    return "2026/11/23 16:02:11 \u001b[33mWARNING\u001b[0m mlflow.sklearn: autologging 1.7 with scikit-learn 1.7.2";
  if (index === 2) return "rows: 161,204 train, 40,118 held out";
  return `[${index - 2}/250] loss ${(0.62 * Math.exp(-index / 90) + 0.44).toFixed(5)}  elapsed ${(index * 0.41).toFixed(1)} s`;
}).join("\n");

function log(from: number | null, ended: boolean): LogChunk {
  const start = Math.max(0, from ?? 0);
  const text = `${LOG}\n`.slice(start);
  return { text, next: LOG.length + 1, ended };
}

export function overview(): Overview {
  const at = (age: number) => NOW - age;
  return {
    project,
    stations: [
      {
        noun: "data",
        state: "good",
        figure: "3 datasets",
        detail: "212 MB, last changed in 3f9c2a1",
        at: at(5 * HOUR),
      },
      {
        noun: "pipeline",
        state: "stale",
        figure: "2 of 4 stale",
        detail: "train: learning_rate changed",
        at: at(4 * MINUTE),
      },
      {
        noun: "runs",
        state: "running",
        figure: "AUC 0.694",
        detail: `best of ${amount}; one is running`,
        at: at(3 * MINUTE),
      },
      { noun: "models", state: "good", figure: "v3 champion", detail: "flight-delays", at: at(2 * DAY) },
      {
        noun: "deployments",
        state: "good",
        figure: "4.2 req/s",
        detail: "flight-delays, p95 12 ms",
        at: at(2 * HOUR),
      },
      {
        noun: "monitors",
        state: "failed",
        figure: "AUC 0.653",
        detail: "2 of 12 drifted, below 0.68",
        at: at(11 * MINUTE),
      },
      {
        noun: "automations",
        state: "good",
        figure: "Kept v3",
        detail: "challenger 0.688 did not beat 0.691",
        at: at(26 * HOUR),
      },
    ],
    attention:
      "flight-delays fell to AUC 0.653 on 4,120 labelled rows, below its line of 0.68: carrier and dep_hour drifted.",
    waiting: null,
    next: { kind: "open_monitor", deployment: "flight-delays" },
  };
}

const COLUMNS = [
  ["flight_id", "int64"],
  ["day", "timestamp"],
  ["carrier", "string"],
  ["origin", "string"],
  ["dest", "string"],
  ["dep_hour", "int64"],
  ["distance", "double"],
  ["wind_speed", "double"],
  ["visibility", "double"],
  ["precip", "double"],
  ["weekday", "string"],
  ["late", "bool"],
] as const;
const CARRIERS = ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "WN"];

function cell(row: number, name: string): unknown {
  const next = random(row * 31 + name.length * 7 + (name.codePointAt(0) ?? 0));
  next();
  const value = next();
  switch (name) {
    case "flight_id":
      return 100_000 + row;
    case "day":
      return `2013-0${1 + (row % 7)}-${String(1 + (row % 28)).padStart(2, "0")}T00:00:00`;
    case "carrier":
      return CARRIERS[Math.floor(value * value * CARRIERS.length)];
    case "origin":
      return ["EWR", "JFK", "LGA"][Math.floor(value * 3)];
    case "dest":
      return ["ATL", "ORD", "LAX", "BOS", "MCO", "CLT"][Math.floor(value * 6)];
    case "dep_hour":
      return 5 + Math.floor(value * 18);
    case "distance":
      return Math.round(180 + value * 2400);
    case "wind_speed":
      return row % 37 === 0 ? null : Math.round(value * 3000) / 100;
    case "visibility":
      return value > 0.2 ? 10 : Math.round(value * 500) / 10;
    case "precip":
      return value > 0.9 ? Math.round(value * 40) / 100 : 0;
    case "weekday":
      return ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][row % 7];
    default:
      return value > 0.77;
  }
}

const TOTAL = 201_322;

function bell(bins: number, center: number, width: number): number[] {
  return Array.from(
    { length: bins },
    (_, index) => Math.round(18_000 * Math.exp(-(((index / bins - center) / width) ** 2))) + 120,
  );
}

const profile = {
  rows: TOTAL,
  columns: COLUMNS.map(([name, kind], index) => {
    const numeric = kind === "int64" || kind === "double";
    const text = kind === "string" || kind === "bool";
    const values =
      name === "carrier"
        ? CARRIERS
        : name === "origin"
          ? ["EWR", "JFK", "LGA"]
          : name === "late"
            ? ["false", "true"]
            : name === "weekday"
              ? ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
              : ["ATL", "ORD", "LAX", "BOS", "MCO", "CLT"];
    return {
      name,
      kind,
      nulls: name === "wind_speed" ? 5441 : 0,
      distinct: name === "flight_id" ? TOTAL : text ? values.length : 40 + index * 13,
      min: numeric ? 5 : null,
      q25: numeric ? 11 : null,
      median: numeric ? 14.2 : null,
      q75: numeric ? 17.8 : null,
      max: numeric ? 30 + index * 40 : null,
      mean: numeric ? 14.731 : null,
      std: numeric ? 4.12 : null,
      edges: numeric ? Array.from({ length: 21 }, (_, edge) => 5 + edge * (1 + index)) : [],
      counts: numeric
        ? name === "precip"
          ? [188_000, ...Array.from({ length: 19 }, (_, bin) => 900 - bin * 40)]
          : bell(20, 0.3 + index * 0.04, 0.28)
        : [],
      top: text ? values.map((value, rank) => ({ value, count: Math.round(58_000 / (rank + 1)) })) : [],
      warnings: name === "flight_id" ? ["every value differs"] : name === "precip" ? ["almost constant"] : [],
    };
  }),
};

const page = <T>(rows: T[], token: string | null, max: number | null): [T[], string | null] => {
  const start = Number(token ?? 0);
  const end = start + (max ?? 100);
  return [rows.slice(start, end), end < rows.length ? String(end) : null];
};

export const answers: Answers = {
  ...deploymentAnswers,
  ...exportAnswers,
  "projects.list": () => [
    { path: PROJECT, name: "flight-delays", opened: NOW - HOUR, exists: true, trusted: true },
    { path: "/home/ada/work/churn", name: "churn", opened: NOW - 3 * DAY, exists: true, trusted: true },
    { path: "/home/ada/old/mnist", name: "mnist", opened: NOW - 40 * DAY, exists: false, trusted: false },
  ],
  "projects.get": () => project,
  "projects.open": ({ path }) => ({ ...project, path }),
  "projects.init": ({ path }) => ({ ...project, path }),
  "projects.create_sample": () => project,
  "projects.clone": () => project,
  "projects.trust": () => project,
  "projects.forget": () => ({}),
  "overview.get": overview,
  find: ({ query }) =>
    [
      ...allRuns()
        .slice(0, 40)
        .map((run) => ({
          noun: "runs" as const,
          title: run.name,
          detail: run.run_id,
          route: `/runs/${run.run_id}`,
        })),
      {
        noun: "models" as const,
        title: "flight-delays",
        detail: "3 versions, champion v3",
        route: "/models/flight-delays",
      },
      {
        noun: "deployments" as const,
        title: "flight-delays",
        detail: "running",
        route: "/deployments/flight-delays",
      },
      { noun: "data" as const, title: "data/raw", detail: "7 files", route: "/data/data%2Fraw" },
    ]
      .filter((row) => `${row.title} ${row.detail}`.includes(query))
      .slice(0, 12),
  "status.get": () => status,
  "doctor.check": () => [
    { name: "git", state: "ok", found: "2.39.5 at /usr/bin/git", hint: null },
    { name: "uv", state: "ok", found: "0.9.8 at /home/ada/.local/bin/uv", hint: null },
    {
      name: "Docker",
      state: "optional",
      found: "not reachable at /var/run/docker.sock",
      hint: "Start Docker to run stages and deployments in containers.",
    },
    { name: "ONNX Runtime", state: "ok", found: "1.23.2", hint: null },
    { name: "GPU", state: "optional", found: "none", hint: null },
    {
      name: "Python",
      state: "missing",
      found: "no Python 3.11 or newer",
      hint: "`uv python install 3.12` gets one.",
    },
  ],
  "data.list": () => {
    const rows: Commands["data.list"]["answer"] = [
      {
        path: "data/raw",
        tracked_by: "data/raw.dvc",
        stage: null,
        state: "modified",
        size: 61_400_000,
        files: 7,
        hash: `${hex(1)}.dir`,
        is_dir: true,
      },
      {
        path: "data/weather-2013.parquet",
        tracked_by: "data/weather-2013.parquet.dvc",
        stage: null,
        state: "clean",
        size: 812_400,
        files: null,
        hash: hex(2),
        is_dir: false,
      },
      {
        path: "data/clean",
        tracked_by: "dvc.lock",
        stage: "clean",
        state: "clean",
        size: 44_100_000,
        files: 7,
        hash: `${hex(3)}.dir`,
        is_dir: true,
      },
      {
        path: "data/train.parquet",
        tracked_by: "dvc.lock",
        stage: "features",
        state: "clean",
        size: 38_200_000,
        files: null,
        hash: hex(4),
        is_dir: false,
      },
      {
        path: "data/heldout.parquet",
        tracked_by: "dvc.lock",
        stage: "features",
        state: "not_in_cache",
        size: 9_530_000,
        files: null,
        hash: hex(5),
        is_dir: false,
      },
      {
        path: "model.joblib",
        tracked_by: "dvc.lock",
        stage: "train",
        state: "deleted",
        size: 1_920_000,
        files: null,
        hash: hex(6),
        is_dir: false,
      },
    ];
    if (long)
      rows.push({
        path: `data/${LONG}/${LONG}.parquet`,
        tracked_by: `data/${LONG}.dvc`,
        stage: null,
        state: "new",
        size: 12,
        files: null,
        hash: null,
        is_dir: false,
      });
    if (amount > 1000)
      for (let index = 0; index < 10_000; index += 1)
        rows.push({
          path: `data/parts/part-${String(index).padStart(5, "0")}.parquet`,
          tracked_by: "data/parts.dvc",
          stage: null,
          state: "clean",
          size: 120_000 + index,
          files: null,
          hash: hex(index),
          is_dir: false,
        });
    return rows;
  },
  "data.add": ({ paths }) =>
    paths.map((path) => ({ path, hash: hex(9), size: 9_200_000, files: null, changed: true })),
  "data.log": () => [
    {
      commit: hex(41, 40),
      short: "3f9c2a1",
      message: "Add July's flights",
      author: "Ada",
      at: NOW - 5 * HOUR,
      hash: hex(1),
      size: 61_400_000,
      files: 7,
    },
    {
      commit: hex(42, 40),
      short: "b81d0e4",
      message: "Add June's flights",
      author: "Ada",
      at: NOW - 31 * DAY,
      hash: hex(21),
      size: 52_800_000,
      files: 6,
    },
    {
      commit: hex(43, 40),
      short: "77aa901",
      message: "Start with January to May",
      author: "Ada",
      at: NOW - 62 * DAY,
      hash: hex(22),
      size: 44_000_000,
      files: 5,
    },
  ],
  "data.diff": () => [
    { kind: "added", path: "data/raw/2013-07.parquet", old_path: null, old_size: null, new_size: 9_210_000 },
    {
      kind: "modified",
      path: "data/raw/2013-06.parquet",
      old_path: null,
      old_size: 8_810_000,
      new_size: 8_822_000,
    },
    {
      kind: "renamed",
      path: "data/raw/2013-05.parquet",
      old_path: "data/raw/may.parquet",
      old_size: 8_700_000,
      new_size: 8_700_000,
    },
    { kind: "deleted", path: "data/raw/tmp.csv", old_path: null, old_size: 120_000, new_size: null },
  ],
  "data.checkout": ({ paths }) => paths,
  "data.files": () => [
    ...Array.from({ length: 7 }, (_, index) => ({
      path: `data/raw/2013-0${index + 1}.parquet`,
      size: 8_600_000 + index * 91_000,
      modified: NOW - index * DAY,
    })),
    { path: "data/weather-2013.parquet", size: 812_400, modified: NOW - 60 * DAY },
    { path: "data/train.parquet", size: 38_200_000, modified: NOW - 4 * HOUR },
    { path: "data/heldout.parquet", size: 9_530_000, modified: NOW - 4 * HOUR },
  ],
  "data.preview": ({ offset, limit }) => ({
    columns: COLUMNS.map(([name, kind]) => ({ name, kind, numeric: kind === "int64" || kind === "double" })),
    rows: Array.from({ length: Math.max(0, Math.min(limit, TOTAL - offset)) }, (_, index) =>
      COLUMNS.map(([name]) => cell(offset + index, name)),
    ),
    offset,
    total_rows: TOTAL,
  }),
  "data.profile": () => profile as never,
  "projects.fetch": () => exchanged(0),
  "projects.pull": () => exchanged(1),
  "projects.push": () => exchanged(2),
  "data.push": () => ({ remote: "store", files: 9, bytes: 61_400_000, skipped: 3, unpushed_commits: 2 }),
  "data.pull": () => ({ remote: "store", files: 1, bytes: 9_530_000, skipped: 11, unpushed_commits: 0 }),
  "transfers.list": () => [],
  "transfers.stop": () => ({}),
  "pipeline.get": () => ({
    stages: STAGES,
    edges: [
      { from: "clean", to: "features" },
      { from: "features", to: "train" },
      { from: "features", to: "evaluate" },
      { from: "train", to: "evaluate" },
    ],
    error: null,
    current_run: runRow(0).run_id,
    current_sweep: null,
    waiting: null,
  }),
  "pipeline.run": ({ stages }) => ({
    run_id: runRow(0).run_id,
    stages: stages.length ? stages : ["train", "evaluate"],
  }),
  "pipeline.resume": () => ({}),
  "pipeline.stop": () => ({}),
  "pipeline.uploads": () => ({
    files: [
      { path: "data/raw/2013-01.parquet", size: 4_812_330, why: "input" },
      { path: "dvc.yaml", size: 812, why: "tracked" },
      { path: "src/features.py", size: 3_204, why: "tracked" },
      { path: "src/train.py", size: 2_980, why: "new" },
    ],
    bytes: 4_819_326,
    left_out: [{ path: ".venv/", why: "ignored" }],
    missing: [],
  }),
  "scoring.start": ({ out }) => ({ job: "job-score", run_id: runRow(0).run_id, out }),
  "scoring.uploads": () => ({
    files: [
      { path: "data/2013-08.parquet", size: 9_812_330, part: "data" },
      { path: "model/MLmodel", size: 1_812, part: "model" },
      { path: "model/model.pkl", size: 613_204, part: "model" },
      { path: "score.py", size: 8_980, part: "script" },
    ],
    bytes: 10_436_326,
  }),
  "scoring.get": ({ id }) =>
    id === "job-score"
      ? {
          job: id,
          run_id: runRow(0).run_id,
          model: "flight-delays",
          version: 3,
          data: "/home/ada/Downloads/2013-08.parquet",
          out: "/home/ada/Downloads/2013-08-scored.parquet",
          result: { rows: 29_327, seconds: 6.2, bytes: 10_211_904 },
          hint: null,
        }
      : null,
  "jobs.list": ({ run_id }) => jobs().filter((row) => run_id === null || row.run_id === run_id),
  "jobs.get": ({ id }) => jobs().find((row) => row.id === id) ?? job(id, id, "succeeded", HOUR, 1000),
  "jobs.log": ({ id, from }) => log(from, id !== "job-train"),
  "jobs.stop": () => ({}),
  "experiments.list": () => [{ id: "1", name: "flight-delays", runs: amount }],
  "runs.list": ({ filter, max, page_token, order_by }) => {
    if (filter && /[=<>]\s*$|^\S+$/.test(filter)) {
      throw Object.assign(new Error("filter"), {
        code: "invalid",
        name: "runs.filter",
        message: `The filter “${filter}” ends before its value`,
        hint: "For example: metrics.auc > 0.7 and params.model = 'gbm'",
      });
    }
    let rows = allRuns();
    const order = /^(\w+)\.`?([^`]+)`? (ASC|DESC)$/.exec(order_by[0] ?? "");
    if (order) {
      const sign = order[3] === "DESC" ? -1 : 1;
      const of = (row: RunRow) =>
        order[1] === "metrics"
          ? (row.metrics[order[2] ?? ""] ?? -1)
          : order[1] === "params"
            ? (row.params[order[2] ?? ""] ?? "")
            : row.start;
      rows = rows.sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0) * sign);
    }
    const [shown, next] = page(rows, page_token, max);
    return {
      rows: shown,
      next_page_token: next,
      metric_keys: ["auc", "accuracy", "log_loss", "f1"],
      param_keys: ["learning_rate", "max_iter", "max_leaf_nodes", "min_samples_leaf", "seed"],
      goals: [],
      swept: [],
    };
  },
  "runs.get": ({ run_id }) => {
    const row = allRuns().find((known) => known.run_id === run_id) ?? runRow(1);
    return {
      row,
      doing: row.status === "RUNNING" ? "installing packages" : null,
      tags: {
        "mlflow.source.name": "src/train.py",
        "lapwing.project": PROJECT,
        "mlflow.autologging": "sklearn",
      },
      jobs: jobs()
        .filter((known) => known.run_id !== null)
        .slice(0, 4),
      data: [
        { path: "data/raw", hash: `${hex(1)}.dir`, role: "input" },
        { path: "data/train.parquet", hash: hex(4), role: "input" },
        { path: "model.joblib", hash: hex(6), role: "output" },
      ],
      logged_models: [{ uri: "models:/m-4be1c0", name: "model", flavors: ["sklearn", "python_function"] }],
      artifact_uri: `file:///home/ada/.local/share/lapwing/artifacts/${run_id}`,
      artifact_folder: `/home/ada/.local/share/lapwing/artifacts/${run_id}`,
    };
  },
  "runs.compare": ({ run_ids }) => {
    const rows = run_ids.map((id) => allRuns().find((row) => row.run_id === id) ?? runRow(1));
    const line = (key: string, of: (row: RunRow) => string | null) => {
      const values = rows.map(of);
      return { key, values, differs: new Set(values).size > 1 };
    };
    return {
      runs: rows,
      metrics: ["auc", "accuracy", "log_loss", "f1"].map((key) =>
        line(key, (row) => (row.metrics[key] === undefined ? null : String(row.metrics[key]))),
      ),
      params: ["learning_rate", "max_iter", "max_leaf_nodes", "min_samples_leaf", "seed"].map((key) =>
        line(key, (row) => row.params[key] ?? null),
      ),
      data: [
        line("data/raw", (row) => (row.start > NOW - DAY ? hex(1, 8) : hex(21, 8))),
        line("src/train.py", () => hex(31, 8)),
      ],
    };
  },
  "runs.metric": ({ run_id, key }) => {
    const next = random(key.length * 31 + (run_id.codePointAt(3) ?? 0));
    const single = key === "f1";
    const points = Array.from({ length: single ? 1 : 250 }, (_, step) => ({
      step,
      at: NOW - 100_000 + step * 400,
      value: key.includes("loss")
        ? 0.62 * Math.exp(-step / (50 + next() * 8)) + 0.44 + next() * 0.01
        : 0.7 - 0.18 * Math.exp(-step / 45) + next() * 0.006,
    }));
    return { run_id, key, points, total: points.length };
  },
  "runs.artifacts": ({ path }) =>
    path === ""
      ? [
          { path: "model", is_dir: true, size: null },
          { path: "plots", is_dir: true, size: null },
          { path: "estimator.html", is_dir: false, size: 8213 },
          { path: "metrics.json", is_dir: false, size: 142 },
        ]
      : path === "model"
        ? [
            { path: "model/MLmodel", is_dir: false, size: 912 },
            { path: "model/model.pkl", is_dir: false, size: 1_920_000 },
            { path: "model/requirements.txt", is_dir: false, size: 120 },
          ]
        : [{ path: `${path}/roc.csv`, is_dir: false, size: 4100 }],
  "runs.artifact_text": ({ path }) =>
    path.endsWith(".pkl")
      ? { text: null, truncated: false, size: 1_920_000 }
      : {
          text: '{\n  "auc": 0.6912,\n  "accuracy": 0.7831,\n  "log_loss": 0.4877\n}\n',
          truncated: false,
          size: 142,
        },
  "runs.rename": () => ({}),
  "runs.delete": () => ({}),
  "runs.restore": () => ({}),
  "remotes.list": remotes,
  "remotes.add": () => ({ kind: "storage", place: null, replaced: null }),
  "remotes.login": () => ({ kind: "mlflow", place: "the keychain", replaced: null }),
  "remotes.test": ({ name }) =>
    name === "team"
      ? { server: "MLflow 3.17.2", user: null, millis: 43, problem: null }
      : {
          server: null,
          user: null,
          millis: 12,
          problem: {
            code: "missing",
            name: "remote.refused_connection",
            message: "nothing listens at gpu-box:22",
            hint: "check that the server runs and that the port is right",
          },
        },
  "remotes.sync": () => ({
    runs_pushed: ["4f1c8a5be0d2496f8e7a1b3c5d7e9f01"],
    runs_pulled: [],
    versions_pushed: ["team:churn/4"],
    versions_pulled: [],
    files: 9,
    bytes: 201_118,
  }),
  "remotes.remove": () => ({}),
};

/** A storage and a git remote share their name, as they often do. */
function remotes(): RemoteRow[] {
  const row = (name: string, kind: RemoteKind, url: string, more: Partial<RemoteRow> = {}): RemoteRow => ({
    name,
    called: name,
    kind,
    url,
    default: false,
    origin: { by: "workspace" },
    signed_in: null,
    supported: true,
    ...more,
  });
  const project = { origin: { by: "project" } } as const;
  const rows = [
    row("store", "storage", "/mnt/nas/dvc/flight-delays", { ...project, default: true }),
    row("origin", "storage", "s3://flights-of-the-team/dvc", { ...project, called: "storage:origin" }),
    row("origin", "git", "git@git.example.org:ada/flight-delays.git", { ...project, called: "git:origin" }),
    row("team", "mlflow", "https://mlflow.example.org", { signed_in: "the keychain" }),
    row("images", "oci", "https://registry.example.org/team"),
    row("gpu-box", "ssh", "ssh://gpu-box", { origin: { by: "found", file: "/home/me/.ssh/config" } }),
  ];
  if (long) rows.push(row(LONG, "storage", `s3://${LONG}/${LONG}`, project));
  for (let number = rows.length; amount > 1000 && number < 100; number += 1)
    rows.push(row(`node-${number}`, "ssh", `ssh://node-${number}.cluster.example.org`));
  return rows;
}

/** What answers when the newest run waits. */
export const waitingAnswers: Partial<Answers> = {
  "pipeline.get": (input) => ({ ...answers["pipeline.get"](input), current_run: null, waiting: waiting() }),
  "overview.get": () => ({ ...overview(), waiting: waiting() }),
  "runs.list": (input) => {
    const page = answers["runs.list"](input);
    return {
      ...page,
      rows: page.rows.map((row) => (row.status === "RUNNING" ? { ...row, waits: waiting().why } : row)),
    };
  },
};

function waiting(): WaitingRun {
  return {
    run_id: runRow(0).run_id,
    started: runRow(0).start,
    why: "stage `train` was edited and `src/features.py` is gone since it began",
  };
}
