import { useMemo, useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { Report, StageRow, Status } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { pathTo, usePlace } from "../shared/place";
import { useSettled } from "../shared/settled";
import { Button } from "../shared/ui";
import { StageChoices } from "./StageChoices";
import { type Remark, SweepAxes } from "./SweepAxes";
import { PlannedTrials, SweepPlan } from "./SweepPlan";
import { SweepGoal, SweepSearch } from "./SweepSearch";
import {
  axisAtFault,
  type Draft,
  type Fault,
  FIRST_DRAFT,
  faultOf,
  inputOf,
  knownParams,
  numberAtFault,
  withAxis,
} from "./sweep";
import { Where } from "./Where";

const SETTLE_MS = 250;
/** Runs whose metrics are offered as a goal. */
const LOOKED_AT = 50;

/** By project, as long as the window is open: the sweep's page is another one, and the next sweep is often like the last. */
const kept = new Map<string, Draft>();

/** Asks what a draft would do while it is typed. */
function usePlan(project: string, draft: Draft, open: boolean) {
  const fault = useMemo(() => faultOf(draft), [draft]);
  const input = useMemo(() => inputOf(project, draft), [project, draft]);
  const settled = useSettled(input, SETTLE_MS);
  const asks = open && fault === null;
  const plan = useCommand("pipeline.plan_sweep", settled, { enabled: asks, keep: true, staleTime: 0 });
  const settling = settled !== input || plan.isFetching;
  return {
    fault,
    input,
    settling,
    planned: asks && !plan.isError ? plan.data : undefined,
    report: asks && plan.isError && settled === input ? toReport(plan.error) : null,
    ready: asks && plan.isSuccess && !plan.isPlaceholderData && settled === input,
  };
}

/** What is said at a parameter: a fault of what is typed, or a refusal that names it. */
function remarkOf(draft: Draft, fault: Fault | null, report: Report | null): Remark | null {
  if (fault && typeof fault.at === "number" && !fault.unfinished)
    return { at: fault.at, text: fault.text, hint: null };
  const at = report ? axisAtFault(report, draft.axes) : null;
  return report && at !== null ? { at, text: report.message, hint: report.hint } : null;
}

export function Sweep({
  project,
  stages,
  status,
  open,
  onOpenChange,
}: {
  project: string;
  stages: StageRow[];
  status: Status | undefined;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const place = usePlace();
  const [draft, setDraft] = useState(() => kept.get(project) ?? FIRST_DRAFT);
  const change = (part: Partial<Draft>) => {
    const next = { ...draft, ...part };
    kept.set(project, next);
    setDraft(next);
  };
  const { fault, input, settling, planned, report, ready } = usePlan(project, draft, open);
  const known = useMemo(() => knownParams(stages), [stages]);
  const runs = useCommand(
    "runs.list",
    {
      project,
      experiment: null,
      filter: null,
      order_by: [],
      max: LOOKED_AT,
      page_token: null,
      deleted: false,
    },
    { enabled: open },
  );
  const start = useAction("pipeline.sweep", {
    quiet: true,
    onDone: ({ run_id }) => {
      onOpenChange(false);
      place.go(pathTo("runs", run_id));
    },
  });
  const refused = report ?? (start.isError && start.variables === input ? toReport(start.error) : null);
  const remark = remarkOf(draft, fault, refused);
  const number = refused ? numberAtFault(refused) : null;
  const stop = fault && fault.at === null ? fault.text : fault?.unfinished ? fault.text : null;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Sweep"
      wide
      actions={
        <>
          <SweepPlan
            planned={planned}
            report={remark || number ? null : refused}
            unfinished={stop}
            settling={settling}
          />
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button kind="primary" disabled={!ready} busy={start.isPending} onClick={() => start.mutate(input)}>
            Start
          </Button>
        </>
      }
    >
      <p className="quiet">
        Runs the pipeline once for each trial and compares what comes out. The project’s own parameters and
        outputs stay as they are.
      </p>
      <SweepAxes
        axes={draft.axes}
        known={known}
        remark={remark}
        onChange={(axes) => change({ axes })}
        onAdd={() => change({ axes: withAxis(draft) })}
      />
      <div className="sweep-columns">
        <SweepSearch
          draft={draft}
          fault={fault ?? number}
          onChange={change}
          atOnce={planned?.at_once ?? null}
        />
        <SweepGoal draft={draft} onChange={change} metrics={runs.data?.metric_keys ?? []} />
      </div>
      <div className="sweep-columns">
        <Where
          project={project}
          stages={[...draft.stages]}
          status={status}
          place={draft.place}
          onChange={(where) => change({ place: where })}
        />
        <StageChoices
          stages={stages}
          chosen={draft.stages}
          onChange={(chosen) => change({ stages: chosen })}
        />
      </div>
      {planned ? <PlannedTrials planned={planned} /> : null}
    </Dialog>
  );
}
