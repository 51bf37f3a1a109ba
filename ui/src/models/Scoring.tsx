import { Square } from "lucide-react";
import { useAction, useCommand } from "../api/client";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { bytes, count, duration } from "../shared/format";
import { JobLog } from "../shared/LogView";
import { pathTo } from "../shared/place";
import { Asked, Failure } from "../shared/states";
import { Button, CopyButton, State, To } from "../shared/ui";
import { JOB } from "../shared/words";
import { addedFirst } from "./scored";

const SHOWN_ROWS = 5;
const SHOWN_COLUMNS = 6;

/** A scoring that goes on, or has ended. */
export function Scoring({
  job,
  called,
  open,
  onOpenChange,
  onEnd,
}: {
  job: string;
  /** The model. */
  called: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** Back to the form: to try again, or for the next file. */
  onEnd: () => void;
}) {
  const row = useCommand(
    "jobs.get",
    { id: job },
    { every: (answer) => (answer && answer.ended !== null ? false : 700) },
  );
  const status = row.data?.status;
  const ended = row.data ? row.data.ended !== null : false;
  const good = status === "succeeded";
  const detail = useCommand("scoring.get", { id: job }, { enabled: ended });
  const stop = useAction("jobs.stop", { done: "Stopped" });
  const close = () => {
    onOpenChange(false);
    if (ended) onEnd();
  };
  return (
    <Dialog
      wide
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title={good ? `Scored with ${called}` : `Scoring with ${called}`}
      actions={
        <>
          {ended ? (
            <Button onClick={onEnd}>{good ? "Score another file" : "Change and try again"}</Button>
          ) : (
            <Button
              kind="danger"
              icon={Square}
              busy={stop.isPending}
              onClick={() => stop.mutate({ id: job })}
            >
              Stop
            </Button>
          )}
          <Button onClick={close}>{ended ? "Close" : "Go on in the background"}</Button>
        </>
      }
    >
      {row.data && status ? (
        <p className="line wrap">
          <State tone={JOB[status].tone}>{JOB[status].word}</State>
          {row.data.on ? <span className="quiet">on {row.data.on}</span> : null}
          {row.data.why ? <span className="quiet">{row.data.why}</span> : null}
          {row.data.outcome ? <span className={`state-${JOB[status].tone}`}>{row.data.outcome}</span> : null}
          {detail.data?.hint ? <span className="quiet">{detail.data.hint}</span> : null}
          <To to={pathTo("jobs", job)}>Job</To>
          {good && row.data.run_id ? (
            <To to={pathTo("runs", row.data.run_id)}>What it was made from</To>
          ) : null}
        </p>
      ) : null}
      {row.isError ? <Failure report={toReport(row.error)} /> : null}
      {detail.data?.result ? (
        <>
          <p className="line wrap">
            <code>{detail.data.out}</code>
            <CopyButton text={detail.data.out} label="Copy the path" />
            <span className="quiet">
              {count(detail.data.result.rows)} rows, {bytes(detail.data.result.bytes)}, in{" "}
              {duration((detail.data.result.seconds ?? 0) * 1000)}
            </span>
          </p>
          <FirstRows path={detail.data.out} />
        </>
      ) : null}
      <div className={good ? "deploy-log short" : "deploy-log"}>
        <JobLog id={job} />
      </div>
    </Dialog>
  );
}

function FirstRows({ path }: { path: string }) {
  const preview = useCommand("data.preview", { project: null, path, offset: 0, limit: SHOWN_ROWS });
  return (
    <Asked query={preview}>
      {({ columns, rows }) => {
        const shown = addedFirst(columns, SHOWN_COLUMNS);
        return (
          <table className="first-rows">
            <thead>
              <tr>
                {shown.map((at) => (
                  <th key={at}>{columns[at]?.name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((cells) => (
                <tr key={JSON.stringify(cells)}>
                  {shown.map((at) => (
                    <td key={at}>{String(cells[at] ?? "")}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        );
      }}
    </Asked>
  );
}
