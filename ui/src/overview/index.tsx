import { GitBranch } from "lucide-react";
import { useAction, useCommand } from "../api/client";
import type { NextAction, Overview } from "../api/generated";
import { plural } from "../shared/format";
import { pathTo, useGo } from "../shared/place";
import { Asked, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { Transfers } from "../shared/Transfers";
import { Button, Page, StateMark, Tag, type Tone } from "../shared/ui";
import { Waits, WaitsActions } from "../shared/Waits";
import { Git } from "./Git";
import { Lap } from "./Lap";
import "./overview.css";

/** One button: what a person would do next. */
function Next({ next, project }: { next: NextAction; project: string }) {
  const go = useGo();
  const run = useAction("pipeline.run", { onDone: ({ run_id }) => run_id && go("/pipeline") });
  const deploy = useAction("deployments.deploy", { onDone: ({ job }) => go(pathTo("jobs", job)) });
  const retrain = useAction("automations.run", { onDone: ({ job }) => go(pathTo("jobs", job)) });
  switch (next.kind) {
    case "add_data":
      return (
        <Button kind="primary" onClick={() => go("/data")}>
          Add data
        </Button>
      );
    case "run":
      return (
        <Button
          kind="primary"
          busy={run.isPending}
          title={`${plural(next.stale, "stage")} would run`}
          onClick={() => run.mutate({ project, stages: [], force: false, target: "process", set: [] })}
        >
          Run
        </Button>
      );
    case "follow_run":
      return (
        <Button kind="primary" onClick={() => go(pathTo("runs", next.run_id))}>
          Follow the run
        </Button>
      );
    case "deploy":
      return (
        <Button
          kind="primary"
          busy={deploy.isPending}
          title={next.model_uri}
          onClick={() =>
            deploy.mutate({ model: next.model_uri, name: next.name, port: null, target: null, project })
          }
        >
          Deploy
        </Button>
      );
    case "open_monitor":
      return (
        <Button kind="primary" onClick={() => go(pathTo("monitors", next.deployment))}>
          Open the monitor
        </Button>
      );
    case "retrain":
      return (
        <Button
          kind="primary"
          busy={retrain.isPending}
          onClick={() => retrain.mutate({ project, name: next.policy })}
        >
          Retrain
        </Button>
      );
    case "nothing":
      return null;
  }
}

/** The tone of the sentence: that of the worst station. */
function worst(overview: Overview): Tone {
  const states = overview.stations.map(({ state }) => state);
  if (states.every((state) => state === "empty")) return "idle";
  return states.includes("failed") ? "failed" : states.includes("stale") ? "stale" : "good";
}

function quietSentence(overview: Overview): string {
  if (overview.stations.every(({ state }) => state === "empty")) {
    return "Nothing has happened here yet. The lap starts with data.";
  }
  if (overview.stations.some(({ state }) => state === "running"))
    return "Work is going on. Nothing needs you now.";
  if (overview.next.kind === "run") {
    return `${plural(overview.next.stale, "stage is stale", "stages are stale")}: a run brings everything up to date.`;
  }
  if (overview.next.kind === "deploy") return "A model is registered and nothing serves it yet.";
  return "Nothing needs attention.";
}

/** The one thing that matters now, and what to do about it. */
function Now({ answer }: { answer: Overview }) {
  return (
    <>
      <StateMark tone={answer.attention || worst(answer) === "idle" ? worst(answer) : "good"} size={16} />
      <p>{answer.attention ?? quietSentence(answer)}</p>
      <Next next={answer.next} project={answer.project.path} />
    </>
  );
}

export default function OverviewPage() {
  const [project] = useProject();
  const overview = useCommand(
    "overview.get",
    { project: project ?? "" },
    {
      enabled: project !== null,
      every: (answer) =>
        answer?.stations.some(({ state }) => state === "running") || answer?.waiting ? 2500 : 15_000,
    },
  );
  return (
    <Page
      title={overview.data?.project.name ?? "Overview"}
      note={
        overview.data?.project.commit ? (
          <span className="line">
            <GitBranch size={13} aria-hidden />
            <span>{overview.data.project.branch ?? "detached"}</span>
            <code>{overview.data.project.commit}</code>
            <span className="cut">{overview.data.project.commit_message}</span>
            {overview.data.project.dirty ? <Tag tone="stale">uncommitted changes</Tag> : null}
          </span>
        ) : null
      }
      actions={
        overview.data?.project.git ? (
          <Git project={overview.data.project.path} position={overview.data.project.git} />
        ) : null
      }
    >
      <Transfers project={project} only={["commits"]} />
      <Asked query={overview} rows={8}>
        {(answer) => (
          <div className="overview">
            {answer.project.config_error ? <Failure report={answer.project.config_error} /> : null}
            <Lap stations={answer.stations}>
              {answer.waiting ? (
                <>
                  <StateMark tone="stale" size={16} />
                  <p>
                    <Waits {...answer.waiting} />
                  </p>
                  <WaitsActions run_id={answer.waiting.run_id} />
                </>
              ) : (
                <Now answer={answer} />
              )}
            </Lap>
          </div>
        )}
      </Asked>
    </Page>
  );
}
