import { Play } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { PolicyRow } from "../api/generated";
import { Dialog } from "../shared/Dialog";
import { JobLog } from "../shared/LogView";
import { pathTo } from "../shared/place";
import { Button, State, Time, To } from "../shared/ui";
import { JOB } from "../shared/words";
import { KIND } from "./laps";

export function Policies({ project, rows }: { project: string; rows: readonly PolicyRow[] }) {
  const [job, setJob] = useState<{ id: string; policy: string } | null>(null);
  const run = useAction("automations.run", {
    onDone: (started, { name }) => setJob({ id: started.job, policy: name }),
  });
  return (
    <>
      <ul className="policies" aria-label="Policies">
        {rows.map((row) => (
          <Policy
            key={row.name}
            row={row}
            starting={run.isPending && run.variables?.name === row.name}
            onRun={() => run.mutate({ project, name: row.name })}
          />
        ))}
      </ul>
      {job ? <Following job={job.id} policy={job.policy} onClose={() => setJob(null)} /> : null}
    </>
  );
}

function Policy({ row, starting, onRun }: { row: PolicyRow; starting: boolean; onRun: () => void }) {
  const tone = row.running ? "running" : row.enabled ? "good" : "idle";
  return (
    <li className="policy">
      <div className="policy-text">
        <div className="line wrap">
          <h2>{row.name}</h2>
          <State tone={tone}>{row.running ? "retraining" : row.enabled ? "watching" : "off"}</State>
          {row.deployment ? (
            <span className="quiet">
              {"for "}
              <To to={pathTo("deployments", row.deployment)}>{row.deployment}</To>
            </span>
          ) : null}
        </div>
        <dl className="policy-words">
          <div>
            <dt>Starts</dt>
            <dd>
              {row.trigger}
              {row.next === null ? null : (
                <span className="quiet">
                  {", next "}
                  <Time at={row.next} />
                </span>
              )}
            </dd>
          </div>
          <div>
            <dt>Promotes if</dt>
            <dd>{row.gate}</dd>
          </div>
          <div>
            <dt>Last</dt>
            <dd>
              {row.last ? (
                <span className="line wrap">
                  <State tone={KIND[row.last.kind].tone}>{KIND[row.last.kind].word}</State>
                  <span className="quiet">{row.last.message}</span>
                  <span className="faint">
                    <Time at={row.last.at} />
                  </span>
                </span>
              ) : (
                <span className="faint">has not run yet</span>
              )}
            </dd>
          </div>
        </dl>
      </div>
      <Button icon={Play} busy={starting} disabled={row.running} onClick={onRun}>
        Run now
      </Button>
    </li>
  );
}

function Following({ job, policy, onClose }: { job: string; policy: string; onClose: () => void }) {
  const row = useCommand(
    "jobs.get",
    { id: job },
    { every: (answer) => (answer && answer.ended !== null ? false : 700) },
  );
  const status = row.data?.status;
  const ended = row.data ? row.data.ended !== null : false;
  return (
    <Dialog
      wide
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={ended ? `${policy} has run` : `Running ${policy}`}
      actions={<Button onClick={onClose}>{ended ? "Close" : "Go on in the background"}</Button>}
    >
      {status ? (
        <p className="line wrap">
          <State tone={JOB[status].tone}>{JOB[status].word}</State>
          {row.data?.outcome ? <span className="quiet">{row.data.outcome}</span> : null}
          <span className="faint">What it decides is added to the audit trail.</span>
        </p>
      ) : null}
      <div className="policy-log">
        <JobLog id={job} />
      </div>
    </Dialog>
  );
}
