import { useCommand } from "../api/client";
import type { StageRow } from "../api/generated";
import { duration, plural } from "../shared/format";
import { usePlace } from "../shared/place";
import { Asked, Empty, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Page, State } from "../shared/ui";
import { WaitsBanner } from "../shared/Waits";
import { STAGE } from "../shared/words";
import { Actions } from "./Actions";
import { StageGraph } from "./StageGraph";
import { StagePanel } from "./StagePanel";
import { SweepNote } from "./SweepNote";
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
  {
    key: "on",
    title: "Runs on",
    width: "minmax(88px, 0.6fr)",
    cell: (row) => <span title={row.on ?? undefined}>{row.on ?? "this machine"}</span>,
    order: (row) => row.on,
    spare: true,
  },
  {
    key: "why",
    title: "Why",
    width: "minmax(200px, 2fr)",
    cell: (row) =>
      row.waits ? (
        <span className="state-stale" title={row.waits}>
          {row.waits}
        </span>
      ) : (
        row.reasons.join("; ")
      ),
  },
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
  const pipeline = useCommand(
    "pipeline.get",
    { project },
    {
      every: (answer) => (answer?.current_run || answer?.current_sweep || answer?.waiting ? LIVE_MS : false),
    },
  );
  const stages = pipeline.data?.stages ?? [];
  const sweep = pipeline.data?.current_sweep ?? null;
  const chosen = stages.find(({ name }) => name === place.search.stage) ?? null;
  const asTable =
    place.search.view === "table" || (place.search.view !== "graph" && stages.length > GRAPH_STAGES);
  return (
    <Page
      title="Pipeline"
      note={pipeline.data && stages.length > 0 ? summary(stages) : null}
      flush
      actions={<Actions project={project} view={pipeline.data} asTable={asTable} />}
    >
      {pipeline.data?.waiting ? <WaitsBanner {...pipeline.data.waiting} /> : null}
      {sweep ? <SweepNote id={sweep} /> : null}
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
    </Page>
  );
}
