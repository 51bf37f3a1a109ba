// Made-up answers for developing and for pictures; never in a production build.
import type { Change, Commands, Report } from "../../api/generated";
import { type Host, ReportError } from "../index";
import * as sweeps from "./sweeps";
import { transferAnswers } from "./transfers";
import * as world from "./world";

type Name = keyof Commands;
type Answer<N extends Name> = Commands[N]["answer"];
type Answers = { [N in Name]: (input: Commands[N]["input"]) => Answer<N> | Promise<Answer<N>> };
type Variant = "full" | "empty" | "error" | "many" | "long" | "untrusted" | "waiting";

const fail = (name: string, message: string, hint: string | null = null, code: Report["code"] = "failed") =>
  new ReportError({ code, name, message, hint });

/** What a new workspace answers. */
const EMPTY: Partial<Answers> = {
  "data.list": () => [],
  "data.files": () => [],
  "pipeline.get": () => ({
    stages: [],
    edges: [],
    error: null,
    current_run: null,
    current_sweep: null,
    waiting: null,
  }),
  "jobs.list": () => [],
  "runs.list": () => ({
    rows: [],
    next_page_token: null,
    metric_keys: [],
    param_keys: [],
    goals: [],
    swept: [],
  }),
  "models.list": () => [],
  "deployments.list": () => [],
  "monitors.list": () => [],
  "alerts.list": () => [],
  "automations.list": () => [],
  "automations.log": () => [],
  "remotes.list": () => [],
  "status.get": () => ({
    ...world.status,
    docker: false,
    tracking_url: null,
    running_jobs: 0,
    open_alerts: 0,
  }),
  "overview.get": () => ({
    ...world.overview(),
    attention: null,
    next: { kind: "add_data" },
    stations: world.overview().stations.map((station) => ({
      ...station,
      state: "empty" as const,
      figure: "None yet",
      detail: "",
      at: null,
    })),
  }),
};

export function mockHost(): Host {
  const query = new URLSearchParams(location.search);
  const variant = (query.get("mock") || "full") as Variant;
  const theme = query.get("theme");
  if (theme) localStorage.setItem("lapwing.theme", theme);
  if (query.has("first")) localStorage.removeItem("lapwing.project");
  else if (!localStorage.getItem("lapwing.project")) localStorage.setItem("lapwing.project", world.PROJECT);
  let listeners: ((changes: Change[]) => void)[] = [];
  let trusted = variant !== "untrusted";
  world.resize(variant === "many" ? 10_000 : 24, variant === "long");
  const shape = sweeps.SHAPES.find((known) => known === query.get("sweep"));
  sweeps.reshape(shape ?? "done", variant === "many" ? 1000 : 12, variant === "long");
  const requireTrust = () => {
    if (trusted) return;
    throw fail("project.untrusted", "This project may not run commands yet", "Trust it first.", "conflict");
  };
  const tell = (...tags: Change["tag"][]) => {
    for (const listener of listeners) listener(tags.map((tag) => ({ tag, id: null })));
  };
  const answers: Answers = {
    ...world.answers,
    ...sweeps.sweepAnswers,
    ...sweeps.besideSweeps,
    ...transferAnswers(() => tell("transfers")),
    "projects.list": (input) => (query.has("first") ? [] : world.answers["projects.list"](input)),
    "projects.trust": (input) => {
      trusted = true;
      return world.answers["projects.trust"](input);
    },
    "pipeline.run": (input) => {
      requireTrust();
      setTimeout(() => tell("pipeline", "runs", "jobs"), 300);
      return world.answers["pipeline.run"](input);
    },
    "pipeline.sweep": (input) => {
      requireTrust();
      sweeps.reshape("running", 12, variant === "long");
      setTimeout(() => tell("pipeline", "runs", "jobs"), 300);
      return sweeps.sweepAnswers["pipeline.sweep"](input);
    },
    ...(variant === "empty" ? EMPTY : {}),
    ...(variant === "waiting" ? world.waitingAnswers : {}),
  };
  return {
    kind: "mock",
    async rpc(name, input) {
      await new Promise((done) => setTimeout(done, 60));
      if (query.has("slow")) await new Promise(() => undefined);
      if (variant === "error" && !/^(projects|status)\./.test(name)) {
        throw fail(
          "store.busy",
          `The workspace did not answer ${name}: its database is locked by another program`,
          "Close the other Lapwing, or wait until its run ends.",
        );
      }
      const answer = (answers as Record<string, (input: unknown) => unknown>)[name];
      if (!answer) throw fail("rpc.unknown", `There is no command ${name}`, null, "not_found");
      return structuredClone(await answer(input));
    },
    onChanges(callback) {
      listeners.push(callback);
      return () => {
        listeners = listeners.filter((known) => known !== callback);
      };
    },
    pickFolder: async () => "/home/ada/work/flight-delays",
    pickFile: async () => "/home/ada/Downloads/2013-08.parquet",
    async openExternal(url) {
      console.info("open", url);
    },
    async notify(title, body) {
      console.info("notify", title, body);
    },
    async reveal(path) {
      console.info("reveal", path);
    },
    reportError: (text) => console.error(text),
  };
}
