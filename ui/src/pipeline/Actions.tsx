import { FileOutput, Grid3x3, type LucideIcon, Play, SlidersHorizontal, Square } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { useAction, useCommand } from "../api/client";
import type { PipelineView } from "../api/generated";
import { plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Button, IconButton, To } from "../shared/ui";
import { Export } from "./Export";
import { RunWith } from "./RunWith";
import { Sweep } from "./Sweep";

type Asking = "run" | "sweep" | "export";

/** In a narrow window its icon alone. */
function AskButton({
  label,
  icon,
  disabled,
  onClick,
}: {
  label: string;
  icon: LucideIcon;
  disabled: boolean;
  onClick: () => void;
}) {
  return (
    <Button icon={icon} aria-label={label} title={label} disabled={disabled} onClick={onClick}>
      <span className="roomy">{label}</span>
    </Button>
  );
}

/** What can be done with the pipeline, and how it is shown. */
export function Actions({
  project,
  view,
  asTable,
}: {
  project: string;
  view: PipelineView | undefined;
  asTable: boolean;
}) {
  const place = usePlace();
  const [asking, setAsking] = useState<Asking | null>(null);
  const status = useCommand("status.get", {});
  const run = useAction("pipeline.run", {
    onDone: ({ run_id, stages }) => {
      if (run_id === null) toast("Everything is up to date: nothing had to run");
      else toast.success(`Running ${plural(stages.length, "stage")}`);
    },
  });
  const stop = useAction("pipeline.stop", { done: "Stopped" });
  const resume = useAction("pipeline.resume", { done: "The run goes on" });
  const stages = view?.stages ?? [];
  const current = view?.current_run ?? null;
  const waiting = view?.waiting ?? null;
  /** What Stop ends. */
  const begun = current ?? waiting?.run_id ?? null;
  const dialog = (what: Asking) => ({
    open: asking === what,
    onOpenChange: (open: boolean) => setAsking(open ? what : null),
  });
  const start = () =>
    waiting
      ? resume.mutate({ run_id: waiting.run_id })
      : run.mutate({ project, stages: [], force: false, target: "process", set: [] });
  return (
    <>
      {begun ? <To to={pathTo("runs", begun)}>{waiting ? "See the run" : "Follow the run"}</To> : null}
      {stages.length > 0 ? (
        <div className="segments">
          {(["graph", "table"] as const).map((shown) => (
            <button
              key={shown}
              type="button"
              aria-pressed={asTable === (shown === "table")}
              onClick={() => place.set({ view: shown })}
            >
              {shown === "graph" ? "Graph" : "Table"}
            </button>
          ))}
        </div>
      ) : null}
      {begun ? (
        <Button
          kind="danger"
          icon={Square}
          busy={stop.isPending}
          onClick={() => stop.mutate({ run_id: begun })}
        >
          Stop
        </Button>
      ) : null}
      {stages.length > 0 ? (
        <IconButton label="Export…" icon={FileOutput} onClick={() => setAsking("export")} />
      ) : null}
      <AskButton
        label="Sweep…"
        icon={Grid3x3}
        disabled={stages.length === 0}
        onClick={() => setAsking("sweep")}
      />
      <AskButton
        label="Run with…"
        icon={SlidersHorizontal}
        disabled={stages.length === 0 || waiting !== null}
        onClick={() => setAsking("run")}
      />
      <Button
        kind="primary"
        icon={Play}
        disabled={(stages.length === 0 && waiting === null) || current !== null}
        busy={run.isPending || resume.isPending}
        onClick={start}
      >
        Run
      </Button>
      <RunWith
        project={project}
        stages={stages}
        status={status.data}
        onRun={(input) => run.mutate(input)}
        {...dialog("run")}
      />
      <Sweep project={project} stages={stages} status={status.data} {...dialog("sweep")} />
      <Export project={project} {...dialog("export")} />
    </>
  );
}
