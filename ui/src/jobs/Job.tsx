import { Square } from "lucide-react";
import { useAction, useCommand } from "../api/client";
import { count, duration } from "../shared/format";
import { JobLog } from "../shared/LogView";
import { pathTo } from "../shared/place";
import { Asked } from "../shared/states";
import { Button, Id, Page, State, Time, To, useNow } from "../shared/ui";
import { JOB } from "../shared/words";
import { isGoing, jobTime } from "./Jobs";
import { placeWords } from "./place";
import "./jobs.css";

export function Job({ id }: { id: string }) {
  const now = useNow(1000);
  const job = useCommand(
    "jobs.get",
    { id },
    { every: (answer) => (answer && isGoing(answer) ? 1500 : false) },
  );
  const stop = useAction("jobs.stop", { done: "Stopped" });
  const row = job.data;
  const scored = useCommand("scoring.get", { id }, { enabled: row !== undefined && row.ended !== null });
  return (
    <Page
      title={row?.title ?? id}
      crumbs={[["Jobs", "/jobs"]]}
      note={row ? <State tone={JOB[row.status].tone}>{JOB[row.status].word}</State> : null}
      flush
      actions={
        row && isGoing(row) ? (
          <Button kind="danger" icon={Square} busy={stop.isPending} onClick={() => stop.mutate({ id })}>
            Stop
          </Button>
        ) : null
      }
    >
      <Asked query={job}>
        {(known) => (
          <div className="job">
            <div className="job-facts quiet">
              <span>
                Started <Time at={known.started ?? known.created} />
              </span>
              <span>Took {duration(jobTime(known, now))}</span>
              <span>{placeWords(known)}</span>
              {known.why ? <span className="state-stale">{known.why}</span> : null}
              {known.outcome ? (
                <span className={`state-${JOB[known.status].tone}`}>{known.outcome}</span>
              ) : null}
              {known.stage ? (
                <To to={`/pipeline?stage=${encodeURIComponent(known.stage)}`}>Stage {known.stage}</To>
              ) : null}
              {scored.data?.result ? (
                <span className="line">
                  {`${count(scored.data.result.rows)} rows scored:`} <Id id={scored.data.out} full />
                </span>
              ) : null}
              {scored.data?.hint ? <span>{scored.data.hint}</span> : null}
              {known.run_id ? (
                <To to={pathTo("runs", known.run_id)}>Run {known.run_id.slice(0, 8)}</To>
              ) : null}
              <Id id={known.id} full />
            </div>
            <div className="job-log">
              <JobLog id={id} />
            </div>
          </div>
        )}
      </Asked>
    </Page>
  );
}
