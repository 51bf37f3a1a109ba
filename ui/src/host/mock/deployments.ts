// Models, deployments, monitors and automations of the made-up workspace.
import type { Commands, DeploymentRow, LineageNode, MonitorView, VersionRow } from "../../api/generated";

type Name = Exclude<
  Extract<
    keyof Commands,
    `${"models" | "lineage" | "deployments" | "monitors" | "alerts" | "automations"}.${string}`
  >,
  "deployments.export"
>;
type Some = { [N in Name]: (input: Commands[N]["input"]) => Commands[N]["answer"] };

const NOW = Date.now();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const RUN = "0f3c9a5d1b7e4f20a6c8d9e1f2b3a4c5";

const deployment: DeploymentRow = {
  name: "flight-delays",
  state: "running",
  why: null,
  url: "http://127.0.0.1:8091",
  target: "process",
  project: "/home/ada/work/flight-delays",
  revision: 4,
  model: "flight-delays@champion",
  model_version: 3,
  runtime: "onnx",
  updated: NOW - 2 * HOUR,
  requests: 15_120,
  errors: 12,
  p50: 3.1,
  p95: 12.4,
  open_alerts: 2,
};

const deployments: DeploymentRow[] = [
  deployment,
  {
    ...deployment,
    name: "churn",
    state: "stopped",
    model: "churn@champion",
    model_version: 1,
    runtime: "python",
    target: "docker",
    url: null,
    requests: 0,
    errors: 0,
    p50: null,
    p95: null,
    open_alerts: 0,
    revision: 1,
    updated: NOW - 9 * DAY,
  },
  {
    ...deployment,
    name: "fares",
    state: "failed",
    why: "the environment could not be prepared: lightgbm needs libgomp1",
    model: "fares/2",
    model_version: 2,
    runtime: "python",
    url: null,
    requests: 0,
    errors: 0,
    p50: null,
    p95: null,
    open_alerts: 0,
    revision: null,
    updated: NOW - 3 * HOUR,
  },
];

function version(number: number): VersionRow {
  return {
    version: number,
    created: NOW - (4 - number) * 9 * DAY,
    run_id: RUN,
    run_name: "calm-plover-799",
    source: "models:/m-4be1c0",
    aliases: number === 3 ? ["champion"] : number === 2 ? ["previous"] : [],
    stage: "None",
    description: number === 3 ? "Six months, slower learning" : "",
    tags: { gate: "passed" },
    metrics: { auc: 0.66 + number * 0.011, accuracy: 0.77, log_loss: 0.49 },
    commit: "3f9c2a1",
    size: 1_920_000,
    deployments: number === 3 ? ["flight-delays"] : [],
  };
}

const INPUTS = [
  { name: "carrier", kind: "string", required: true },
  { name: "origin", kind: "string", required: true },
  { name: "dest", kind: "string", required: true },
  { name: "dep_hour", kind: "long", required: true },
  { name: "distance", kind: "double", required: true },
  { name: "wind_speed", kind: "double", required: false },
  { name: "weekday", kind: "string", required: true },
];
const EXAMPLE = {
  carrier: "UA",
  origin: "EWR",
  dest: "ORD",
  dep_hour: 17,
  distance: 719.0,
  wind_speed: 12.7,
  weekday: "Fri",
};

function bins(shift: number): number[] {
  const raw = Array.from({ length: 12 }, (_, index) => Math.exp(-(((index - 5 - shift) / 2.6) ** 2)));
  const sum = raw.reduce((total, value) => total + value, 0);
  return raw.map((value) => value / sum);
}

const HOURS = Array.from({ length: 12 }, (_, index) => `${index * 2}–${index * 2 + 2}`);

function monitor(): MonitorView {
  const names = [
    "prediction",
    "carrier",
    "dep_hour",
    "wind_speed",
    "distance",
    "origin",
    "dest",
    "visibility",
    "precip",
    "weekday",
    "temp",
    "pressure",
  ];
  const alerts = [
    {
      id: 12,
      deployment: "flight-delays",
      kind: "performance",
      message: "AUC 0.653 on 4,120 labelled rows is below 0.68",
      at: NOW - 11 * MINUTE,
      resolved: null,
      acknowledged: false,
    },
    {
      id: 11,
      deployment: "flight-delays",
      kind: "drift",
      message: "carrier drifted (Jensen–Shannon 0.14, limit 0.1)",
      at: NOW - 3 * HOUR,
      resolved: null,
      acknowledged: false,
    },
  ];
  return {
    row: {
      deployment: "flight-delays",
      state: "degraded",
      rows: 15_108,
      labelled: 4120,
      drifted: 2,
      columns: 12,
      performance: "AUC 0.653",
      open_alerts: 2,
      checked: NOW - 11 * MINUTE,
    },
    since: NOW - 7 * DAY,
    until: NOW,
    reference: "run calm-plover-799, data/train.parquet",
    reference_rows: 161_204,
    mode: "corrected",
    columns: names.map((column, index) => {
      const categorical = ["carrier", "origin", "dest", "weekday"].includes(column);
      const drifted = column === "carrier" || column === "dep_hour";
      return {
        column,
        kind: categorical ? "categorical" : "numerical",
        test: categorical ? "Jensen–Shannon distance" : "Wasserstein distance",
        value: drifted ? 0.14 + index * 0.01 : 0.02 + index * 0.004,
        threshold: 0.1,
        drifted,
        note: column === "precip" ? "almost constant in the reference" : null,
        distribution: categorical
          ? {
              labels: ["UA", "B6", "EV", "DL", "AA", "MQ"],
              reference: [0.28, 0.22, 0.18, 0.14, 0.11, 0.07],
              current: drifted ? [0.14, 0.2, 0.16, 0.12, 0.1, 0.28] : [0.27, 0.22, 0.19, 0.14, 0.11, 0.07],
            }
          : { labels: HOURS, reference: bins(0), current: bins(drifted ? 2.2 : 0.2) },
      };
    }),
    quality: names.slice(1).map((column, index) => ({
      column,
      missing: column === "wind_speed" ? 0.081 : 0,
      missing_reference: column === "wind_speed" ? 0.027 : 0,
      new_categories: column === "carrier" ? ["G4", "OO"] : [],
      out_of_range: index % 4 === 0 ? 0.002 : 0,
      note: null,
    })),
    performance: Array.from({ length: 14 }, (_, index) => ({
      from: NOW - (14 - index) * 12 * HOUR,
      to: NOW - (13 - index) * 12 * HOUR,
      rows: 1080,
      labelled: 294,
      metrics: {
        auc: 0.703 - (index > 7 ? (index - 7) * 0.008 : 0) + Math.sin(index) * 0.004,
        accuracy: 0.78 - index * 0.002,
        log_loss: 0.48 + index * 0.003,
      },
      drifted_share: index > 7 ? 0.17 : 0,
      model_versions: [index < 5 ? 2 : 3],
    })),
    watched_metric: "auc",
    watched_line: 0.68,
    alerts,
  };
}

function node(
  id: string,
  kind: LineageNode["kind"],
  title: string,
  detail: string,
  route: string | null,
): LineageNode {
  return { id, kind, title, detail, at: NOW - DAY, route };
}

const HISTORY_FROM = Date.UTC(2026, 0, 1);

/** As many as the core answers. */
const MOST_FOUND = 100;
const manyModels = () => new URLSearchParams(location.search).get("mock") === "many";

export const deploymentAnswers: Some = {
  "deployments.push": ({ name, repository }) => ({
    image: `registry.example.org/team/${repository ?? name}:r3`,
  }),
  "models.push": ({ model, remote }) => ({
    address: `${remote}:${model}`,
    new: true,
    files: 7,
    bytes: 183_402,
  }),
  "models.pull": ({ address }) => ({ name: "churn", version: 4, origin: `${address}/4`, new: true }),
  "models.search_remote": ({ remote, text }) => {
    const there: [string, string, string | null, Record<string, string>][] = [
      ["churn", "Who leaves within a month", "4", { prod: "3" }],
      ["credit-risk-of-small-businesses-in-rural-areas-second-try", "", "12", {}],
      ["empty", "", null, {}],
    ];
    for (let bird = 0; manyModels() && bird < 10_000; bird += 1) there.push([`bird-${bird}`, "", "1", {}]);
    const found = there.filter(([name]) => name.includes(text));
    return {
      rows: found.slice(0, MOST_FOUND).map(([name, description, latest, aliases]) => ({
        name,
        description,
        latest,
        aliases,
        address: `${remote}:${name}`,
      })),
      more: found.length > MOST_FOUND,
    };
  },
  "models.list": (): Commands["models.list"]["answer"] => [
    {
      name: "flight-delays",
      description: "Will this flight be more than 15 minutes late?",
      latest: 3,
      aliases: { champion: 3, previous: 2 },
      versions: 3,
      updated: NOW - 2 * DAY,
    },
    {
      name: "churn",
      description: "",
      latest: 1,
      aliases: { champion: 1 },
      versions: 1,
      updated: NOW - 9 * DAY,
    },
  ],
  "models.get": ({ name }) => ({
    row: {
      name,
      description: "Will this flight be more than 15 minutes late?",
      latest: 3,
      aliases: { champion: 3, previous: 2 },
      versions: 3,
      updated: NOW - 2 * DAY,
    },
    versions: [version(3), version(2), version(1)],
  }),
  "models.version": (input) => ({
    row: version(input.version),
    flavors: ["sklearn", "python_function"],
    signature: { inputs: INPUTS, outputs: [{ name: "prediction", kind: "long", required: true }] },
    requirements: ["mlflow==3.7.0", "scikit-learn==1.7.2", "numpy==2.3.5", "pandas==2.3.3"],
    safety: "safe",
    safety_detail: ["model.pkl: only scikit-learn and numpy classes"],
  }),
  "models.register": () => version(3),
  "models.set_alias": () => ({}),
  "lineage.trace": () => ({
    focus: "model",
    nodes: [
      node("commit", "commit", "3f9c2a1", "Add July's flights", null),
      node("raw", "dataset", "data/raw", "7 files, 61 MB", "/data/data%2Fraw"),
      node("train-data", "dataset", "data/train.parquet", "161,204 rows", "/data/data%2Ftrain.parquet"),
      node("stage", "stage", "train", "python src/train.py", "/pipeline?stage=train"),
      node("run", "run", "calm-plover-799", "AUC 0.691", `/runs/${RUN}`),
      node("model", "model_version", "flight-delays v3", "champion", "/models/flight-delays/3"),
      node(
        "revision",
        "revision",
        "revision 4",
        "onnx, all traffic",
        "/deployments/flight-delays?tab=revisions",
      ),
      node("deployment", "deployment", "flight-delays", "running", "/deployments/flight-delays"),
    ],
    edges: [
      { from: "commit", to: "run" },
      { from: "raw", to: "train-data" },
      { from: "train-data", to: "run" },
      { from: "stage", to: "run" },
      { from: "run", to: "model" },
      { from: "model", to: "revision" },
      { from: "revision", to: "deployment" },
    ],
  }),
  "deployments.list": () => deployments,
  "deployments.get": ({ name }) => {
    const row = deployments.find((known) => known.name === name) ?? deployment;
    return {
      row,
      revisions: [4, 3, 2, 1].map((number) => ({
        number,
        created: NOW - (5 - number) * 6 * DAY,
        model: "flight-delays@champion",
        model_version: Math.max(1, number - 1),
        run_id: RUN,
        runtime: number === 2 ? "python" : "onnx",
        runtime_note:
          number === 2
            ? "kept in Python: a custom transformer has no ONNX counterpart"
            : "converted, largest difference 2.4e-7 on 200 rows",
        traffic: number === 4 ? 1 : 0,
        released_by: number === 3 ? "retrain-when-worse" : "you",
      })),
      inputs: INPUTS,
      example: EXAMPLE,
      snippets: [
        {
          title: "curl",
          code: `curl -s ${row.url ?? "http://127.0.0.1:8091"}/invocations \\\n  -H 'Content-Type: application/json' \\\n  -d '{"dataframe_records": [${JSON.stringify(EXAMPLE)}]}'`,
        },
        {
          title: "Python",
          code: `import requests\n\nrequests.post("${row.url ?? ""}/invocations", json={"dataframe_records": [row]}).json()`,
        },
      ],
      docs_url: row.url ? `${row.url}/docs` : null,
      metrics_url: row.url ? `${row.url}/metrics` : null,
    };
  },
  "deployments.deploy": () => ({ job: "job-deploy" }),
  "deployments.start": () => deployment,
  "deployments.stop": () => ({ ...deployment, state: "stopped" }),
  "deployments.remove": () => ({}),
  "deployments.rollback": () => ({ ...deployment, revision: 3 }),
  "deployments.predict": () => ({
    status: 200,
    latency_ms: 3.8,
    body: { predictions: [1], scores: [0.7312], prediction_ids: ["01kb8q2m9v7x5"] },
  }),
  "deployments.traffic": ({ minutes }) => {
    const buckets = Array.from({ length: 60 }, (_, index) => ({
      at: NOW - (60 - index) * (minutes / 60) * MINUTE,
      requests: Math.round(240 + Math.sin(index / 6) * 70 + (index % 7) * 9),
      errors: index === 31 ? 9 : index === 32 ? 3 : 0,
      p50: 3 + Math.sin(index / 9) * 0.5,
      p95: 11 + Math.cos(index / 7) * 2 + (index === 31 ? 40 : 0),
      p99: 19 + Math.cos(index / 5) * 4,
    }));
    return { buckets, requests: 15_120, errors: 12, p50: 3.1, p95: 12.4, p99: 21.7 };
  },
  "deployments.predictions": ({ limit }) =>
    Array.from({ length: Math.min(limit, 120) }, (_, index) => ({
      prediction_id: `01kb8q2m9v${String(index).padStart(4, "0")}`,
      at: NOW - index * 4200,
      revision: 4,
      prediction: index % 4 === 0 ? "1" : "0",
      score: 0.2 + ((index * 37) % 60) / 100,
      label: index > 40 ? (index % 5 === 0 ? "1" : "0") : null,
      latency_ms: 2.4 + (index % 9) * 0.7,
      features: EXAMPLE,
    })),
  "deployments.log": () => ({
    text: "listening on 127.0.0.1:8091\nloaded flight-delays v3 (onnx) in 212 ms\nrevision 4 gets all traffic\n",
    next: 90,
    ended: false,
  }),
  "monitors.list": () => [
    monitor().row,
    {
      deployment: "churn",
      state: "no_data",
      rows: 0,
      labelled: 0,
      drifted: 0,
      columns: 0,
      performance: null,
      open_alerts: 0,
      checked: null,
    },
  ],
  "monitors.get": monitor,
  "monitors.history": () =>
    Array.from({ length: 60 }, (_, index) => [
      {
        metric: "drift",
        at: HISTORY_FROM + index * 3_600_000,
        value: Math.min(0.8, index / 60),
        line: 0.5,
        rows: 20_000,
      },
      {
        metric: "auc",
        at: HISTORY_FROM + index * 3_600_000,
        value: 0.74 - index / 600,
        line: 0.7,
        rows: 500 + index,
      },
    ]).flat(),
  "monitors.labels": () => ({ labels: 4120, joined: 4102, unmatched: 18 }),
  "alerts.list": () => monitor().alerts,
  "alerts.acknowledge": () => ({}),
  "automations.list": () => [
    {
      name: "retrain-when-worse",
      deployment: "flight-delays",
      trigger: "when AUC is below 0.68 on 2,000 labelled rows",
      gate: "challenger must beat champion’s AUC by 0.01 on data/heldout.parquet",
      enabled: true,
      running: false,
      last: decisions()[0] ?? null,
      next: null,
    },
    {
      name: "monthly",
      deployment: "flight-delays",
      trigger: "at 03:00 on the first of each month",
      gate: "challenger must beat champion’s AUC by 0.005",
      enabled: true,
      running: true,
      last: null,
      next: NOW + 8 * DAY,
    },
  ],
  "automations.run": () => ({ job: "job-retrain" }),
  "automations.log": decisions,
};

function decisions(): Commands["automations.log"]["answer"] {
  const line = (
    id: number,
    lap: string,
    kind: Commands["automations.log"]["answer"][number]["kind"],
    age: number,
    message: string,
    numbers: Record<string, number>,
  ) => ({
    id,
    lap,
    project: "/home/ada/work/flight-delays",
    policy: "retrain-when-worse",
    kind,
    at: NOW - age,
    message,
    numbers,
    run_id: RUN,
    model: "flight-delays",
    deployment: "flight-delays",
  });
  return [
    line(9, "lap-3", "kept", 26 * HOUR, "Kept v3: challenger’s AUC 0.688 did not beat 0.691 by 0.01", {
      challenger: 0.688,
      champion: 0.691,
      margin: 0.01,
    }),
    line(8, "lap-3", "retrained", 26.2 * HOUR, "Retrained on 201,322 rows in 2 min 11 s", { rows: 201_322 }),
    line(7, "lap-3", "triggered", 26.4 * HOUR, "AUC 0.671 on 2,310 labelled rows is below 0.68", {
      auc: 0.671,
      line: 0.68,
    }),
    line(6, "lap-2", "released", 9 * DAY, "Released v3 to flight-delays as revision 4", { version: 3 }),
    line(5, "lap-2", "promoted", 9.01 * DAY, "Promoted v3: AUC 0.691 beat 0.677 by 0.014", {
      challenger: 0.691,
      champion: 0.677,
    }),
    line(4, "lap-2", "retrained", 9.1 * DAY, "Retrained on 172,110 rows in 1 min 58 s", { rows: 172_110 }),
    line(3, "lap-2", "triggered", 9.2 * DAY, "AUC 0.662 on 2,004 labelled rows is below 0.68", {
      auc: 0.662,
    }),
  ];
}
