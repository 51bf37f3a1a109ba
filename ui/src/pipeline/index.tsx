import { FileOutput, Play, SlidersHorizontal, Square } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { useAction, useCommand } from "../api/client";
import type { StageRow } from "../api/generated";
import { duration, plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Button, IconButton, Page, State, To } from "../shared/ui";
import { STAGE } from "../shared/words";
import { Export } from "./Export";
import { RunWith } from "./RunWith";
import { StageGraph } from "./StageGraph";
import { StagePanel } from "./StagePanel";
import "./pipeline.css";

const LIVE_MS = 1500;
/** Beyond this a graph is a hairball, and the table is shown first. */
const GRAPH_STAGES = 150;

const COLUMNS: Column<StageRow>[] = [
  {
    key: "name",
    title: "Stage",
    width: "minmax(140px, 1fr)",
    cell: (row) => row.name,
    order: (row) => row.name,
  },
  {
    key: "state",
    title: "State",
    width: "112px",
    cell: (row) => <State tone={STAGE[row.state].tone}>{STAGE[row.state].word}</State>,
    order: (row) => row.state,
  },
  { key: "why", title: "Why", width: "minmax(200px, 2fr)", cell: (row) => row.reasons.join("; ") },
  {
    key: "took",
    title: "Last took",
    width: "96px",
    numeric: true,
    cell: (row) => duration(row.duration_ms),
    order: (row) => row.duration_ms,
  },
];

function summary(stages: StageRow[]): string {
  const stale = stages.filter(({ state }) => state !== "fresh" && state !== "frozen").length;
  return `${plural(stages.length, "stage")}, ${stale === 0 ? "all up to date" : `${stale} to run`}`;
}

export default function PipelinePage() {
  const place = usePlace();
  const [stored] = useProject();
  const project = stored ?? "";
  const [asking, setAsking] = useState(false);
  const [exporting, setExporting] = useState(false);
  const status = useCommand("status.get", {});
  const pipeline = useCommand(
    "pipeline.get",
    { project },
    { every: (answer) => (answer?.current_run ? LIVE_MS : false) },
  );
  const run = useAction("pipeline.run", {
    onDone: ({ run_id, stages }) => {
      if (run_id === null) toast("Everything is up to date: nothing had to run");
      else toast.success(`Running ${plural(stages.length, "stage")}`);
    },
  });
  const stop = useAction("pipeline.stop", { done: "Stopped" });
  const stages = pipeline.data?.stages ?? [];
  const current = pipeline.data?.current_run ?? null;
  const chosen = stages.find(({ name }) => name === place.search.stage) ?? null;
  const asTable =
    place.search.view === "table" || (place.search.view !== "graph" && stages.length > GRAPH_STAGES);
  const start = () => run.mutate({ project, stages: [], force: false, target: "process", set: [] });
  return (
    <Page
      title="Pipeline"
      note={pipeline.data && stages.length > 0 ? summary(stages) : null}
      flush
      actions={
        <>
          {current ? <To to={pathTo("runs", current)}>Follow the run</To> : null}
          {stages.length > 0 ? (
            <div className="segments">
              {(["graph", "table"] as const).map((view) => (
                <button
                  key={view}
                  type="button"
                  aria-pressed={asTable === (view === "table")}
                  onClick={() => place.set({ view })}
                >
                  {view === "graph" ? "Graph" : "Table"}
                </button>
              ))}
            </div>
          ) : null}
          {current ? (
            <Button
              kind="danger"
              icon={Square}
              busy={stop.isPending}
              onClick={() => stop.mutate({ run_id: current })}
            >
              Stop
            </Button>
          ) : null}
          {stages.length > 0 ? (
            <IconButton label="Export…" icon={FileOutput} onClick={() => setExporting(true)} />
          ) : null}
          <Button icon={SlidersHorizontal} disabled={stages.length === 0} onClick={() => setAsking(true)}>
            Run with…
          </Button>
          <Button
            kind="primary"
            icon={Play}
            disabled={stages.length === 0 || current !== null}
            busy={run.isPending}
            onClick={start}
          >
            Run
          </Button>
        </>
      }
    >
      <Asked query={pipeline}>
        {(view) => {
          if (view.error) return <Failure report={view.error} retry={() => void pipeline.refetch()} />;
          if (view.stages.length === 0) {
            return (
              <Empty title="No stages yet" cli="lapwing run">
                Write a dvc.yaml: each stage has a command, what it reads and what it makes. Lapwing runs what
                is stale, in order.
              </Empty>
            );
          }
          return (
            <div className="pipeline" data-panel={chosen ? "" : undefined}>
              <div className="pipeline-main">
                {asTable ? (
                  <Table
                    label="Stages"
                    rows={view.stages}
                    columns={COLUMNS}
                    id={({ name }) => name}
                    current={chosen?.name}
                    onOpen={({ name }) => place.set({ stage: name })}
                  />
                ) : (
                  <StageGraph
                    view={view}
                    chosen={chosen?.name ?? null}
                    onChoose={(name) => place.set({ stage: name })}
                  />
                )}
              </div>
              {chosen ? (
                <StagePanel
                  stage={chosen}
                  tab={
                    place.search.tab ??
                    (chosen.state === "running" || chosen.state === "failed" ? "log" : "about")
                  }
                  onTab={(tab) => place.set({ tab })}
                  onClose={() => place.set({ stage: null, tab: null })}
                />
              ) : null}
            </div>
          );
        }}
      </Asked>
      <RunWith
        project={project}
        stages={stages}
        status={status.data}
        open={asking}
        onOpenChange={setAsking}
        onRun={(input) => run.mutate(input)}
      />
      <Export project={project} open={exporting} onOpenChange={setExporting} />
    </Page>
  );
}
