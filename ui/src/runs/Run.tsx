import { Pencil, Play, Square, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { toast } from "sonner";
import { call, showFailure, useAction, useCommand } from "../api/client";
import type { LoggedModelRow, RunDetail, SweepView } from "../api/generated";
import { toReport } from "../host";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Failure, Prose, Skeleton } from "../shared/states";
import { useProject } from "../shared/stored";
import { sweepEvery } from "../shared/trials";
import { Button, IconButton, Page, Tabs, Tag } from "../shared/ui";
import { WaitsBanner } from "../shared/Waits";
import { Artifacts } from "./Artifacts";
import { Charts } from "./Charts";
import { Register } from "./Register";
import { Rename } from "./Rename";
import { RunLog } from "./RunLog";
import { RunOverview } from "./RunOverview";
import { RunState } from "./RunState";
import { Sweep } from "./Sweep";
import "./runs.css";

const Lineage = lazy(() => import("./RunLineage"));
const LIVE_MS = 1500;

const TABS: [string, string][] = [
  ["overview", "Overview"],
  ["metrics", "Metrics"],
  ["artifacts", "Artifacts"],
  ["log", "Log"],
  ["lineage", "Data and lineage"],
];

/** A sweep has trials instead of metrics and logs of its own. */
const SWEEP_TABS: [string, string][] = [
  ["trials", "Trials"],
  ["charts", "Charts"],
  ["overview", "Overview"],
];

function Tab({
  tab,
  detail,
  onRegister,
}: {
  tab: string;
  detail: RunDetail;
  onRegister: (model: LoggedModelRow) => void;
}) {
  switch (tab) {
    case "overview":
      return <RunOverview detail={detail} onRegister={onRegister} />;
    case "metrics":
      return <Charts run={detail.row} />;
    case "artifacts":
      return <Artifacts detail={detail} />;
    case "log":
      return <RunLog detail={detail} />;
    case "lineage":
      return (
        <Suspense fallback={<Skeleton />}>
          <Lineage detail={detail} />
        </Suspense>
      );
    default:
      return null;
  }
}

/** The sweep that a run is, or `null` of any other run. */
function useSweep(id: string): { view: SweepView | null; asked: boolean; failure: Error | null } {
  const sweep = useCommand("pipeline.get_sweep", { run_id: id }, { every: sweepEvery });
  return { view: sweep.data ?? null, asked: !sweep.isPending, failure: sweep.error };
}

/** The run that this one is a trial or another part of. */
function useParent(detail: RunDetail | undefined): [string, string][] {
  const id = detail?.row.parent ?? null;
  const parent = useCommand("runs.get", { run_id: id ?? "" }, { enabled: id !== null });
  return id === null ? [] : [[parent.data?.row.name ?? "Parent", pathTo("runs", id)]];
}

export function Run({ id }: { id: string }) {
  const place = usePlace();
  const [project] = useProject();
  const [renaming, setRenaming] = useState(false);
  const [registering, setRegistering] = useState<LoggedModelRow | null>(null);
  const run = useCommand(
    "runs.get",
    { run_id: id },
    { every: (answer) => (answer?.row.status === "RUNNING" ? LIVE_MS : false) },
  );
  const stop = useAction("pipeline.stop", { done: "Stopped" });
  const resume = useAction("pipeline.resume", { done: "The run goes on" });
  const remove = useAction("runs.delete", {
    onDone: () => {
      place.go("/runs");
      toast("Run deleted", {
        action: {
          label: "Undo",
          onClick: () => {
            call("runs.restore", { run_id: id }).catch((thrown: unknown) => showFailure(toReport(thrown)));
          },
        },
      });
    },
  });
  const row = run.data?.row;
  const sweep = useSweep(id);
  const parent = useParent(run.data);
  const first = sweep.view ? "trials" : "overview";
  const tab = place.search.tab ?? first;
  return (
    <Page
      title={row?.name ?? id.slice(0, 8)}
      crumbs={[["Runs", "/runs"], ...parent]}
      note={
        row ? (
          <span className="line">
            <RunState row={row} />
            {row.models.map((model) => (
              <Tag key={model}>{model}</Tag>
            ))}
          </span>
        ) : null
      }
      flush
      actions={
        <>
          {row && row.waits !== null ? (
            <Button
              kind="primary"
              icon={Play}
              busy={resume.isPending}
              onClick={() => resume.mutate({ run_id: id })}
            >
              Run
            </Button>
          ) : null}
          {row?.status === "RUNNING" ? (
            <Button
              kind="danger"
              icon={Square}
              busy={stop.isPending}
              onClick={() => stop.mutate({ run_id: id })}
            >
              Stop
            </Button>
          ) : null}
          <IconButton label="Rename" icon={Pencil} disabled={!row} onClick={() => setRenaming(true)} />
          <IconButton
            label="Delete"
            icon={Trash2}
            disabled={!row || row.status === "RUNNING"}
            onClick={() => remove.mutate({ run_id: id })}
          />
        </>
      }
    >
      {run.data?.doing ? (
        <p className="run-doing quiet" role="status">
          <Prose text={run.data.doing} />
        </p>
      ) : null}
      {row && row.waits !== null ? <WaitsBanner started={row.start} why={row.waits} /> : null}
      <Tabs
        label="Run"
        tabs={sweep.view ? SWEEP_TABS : TABS}
        current={tab}
        onChange={(next) => place.set({ tab: next === first ? null : next })}
      />
      <div className="run-body">
        <Asked query={run}>
          {(detail) => (
            <>
              {sweep.failure ? <Failure report={toReport(sweep.failure)} /> : null}
              {sweep.asked ? null : <Skeleton />}
              {sweep.view ? <Sweep view={sweep.view} detail={detail} tab={tab} /> : null}
              {sweep.asked && !sweep.view ? (
                <Tab tab={tab} detail={detail} onRegister={setRegistering} />
              ) : null}
              <Rename run_id={id} name={detail.row.name} open={renaming} onClose={() => setRenaming(false)} />
            </>
          )}
        </Asked>
      </div>
      <Register
        model={registering}
        suggested={project?.split("/").pop() ?? "model"}
        onClose={() => setRegistering(null)}
      />
    </Page>
  );
}
