import { useQueryClient } from "@tanstack/react-query";
import { Rocket } from "lucide-react";
import { useEffect, useState } from "react";
import { markStale, useAction, useCommand } from "../api/client";
import type { Target } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { JobLog } from "../shared/LogView";
import { pathTo, usePlace } from "../shared/place";
import { Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { TextField } from "../shared/TextField";
import { Button, State } from "../shared/ui";
import { JOB } from "../shared/words";
import { deployable, portOf } from "./deployable";

/** Asks for name, port and target, then follows the job until the endpoint stands. */
export function DeployDialog({
  model,
  name: given,
  open,
  onOpenChange,
}: {
  /** What `deployments.deploy` takes: `NAME@ALIAS` or `models:/NAME/3`. */
  model: string;
  name: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [project] = useProject();
  const [name, setName] = useState(() => deployable(given));
  const [port, setPort] = useState("");
  const [target, setTarget] = useState<Target | null>(null);
  const [job, setJob] = useState<string | null>(null);
  const status = useCommand("status.get", {}, { enabled: open });
  const deploy = useAction("deployments.deploy", { quiet: true, onDone: (started) => setJob(started.job) });
  const nameFault = deployable(name) === name && name !== "" ? null : "Small letters, digits and “-”";
  const number = portOf(port);
  const ready = nameFault === null && number !== "fault";
  const send = () => {
    if (!ready || deploy.isPending) return;
    deploy.mutate({ model, name, port: number, target, project });
  };
  if (job)
    return (
      <Progress
        job={job}
        name={name}
        model={model}
        open={open}
        onOpenChange={onOpenChange}
        onEnd={() => setJob(null)}
      />
    );
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Deploy ${model}`}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            icon={Rocket}
            type="submit"
            form="deploy"
            busy={deploy.isPending}
            disabled={!ready}
          >
            Deploy
          </Button>
        </>
      }
    >
      <form
        id="deploy"
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <TextField
          label="Deployment"
          hint="A deployment of this name gets a new revision"
          fault={nameFault}
          value={name}
          onChange={setName}
        />
        <TextField
          label="Port"
          hint="Empty takes that of lapwing.toml, or a free one"
          fault={number === "fault" ? "A number from 1 to 65535" : null}
          value={port}
          placeholder="any free port"
          numeric
          onChange={setPort}
        />
        <fieldset className="choice">
          <legend className="field-label">Runs as</legend>
          <label className="line">
            <input type="radio" name="target" checked={target === null} onChange={() => setTarget(null)} />
            What lapwing.toml says, or as before
          </label>
          <label className="line">
            <input
              type="radio"
              name="target"
              checked={target === "process"}
              onChange={() => setTarget("process")}
            />
            A process on this machine
          </label>
          <label className="line">
            <input
              type="radio"
              name="target"
              checked={target === "docker"}
              disabled={status.data?.docker === false}
              onChange={() => setTarget("docker")}
            />
            A Docker container
            {status.data?.docker === false ? <span className="faint">Docker is not reachable</span> : null}
          </label>
        </fieldset>
      </form>
      {deploy.isError ? <Failure report={toReport(deploy.error)} /> : null}
    </Dialog>
  );
}

function Progress({
  job,
  name,
  model,
  open,
  onOpenChange,
  onEnd,
}: {
  job: string;
  name: string;
  model: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** Back to the form: to try again, or for the next time. */
  onEnd: () => void;
}) {
  const place = usePlace();
  const client = useQueryClient();
  const row = useCommand(
    "jobs.get",
    { id: job },
    { every: (answer) => (answer && answer.ended !== null ? false : 700) },
  );
  const status = row.data?.status;
  const ended = row.data ? row.data.ended !== null : false;
  useEffect(() => {
    if (ended) markStale(client, ["deployments", "monitors"]);
  }, [ended, client]);
  const good = status === "succeeded";
  const close = () => {
    onOpenChange(false);
    if (ended) onEnd();
  };
  return (
    <Dialog
      wide
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title={good ? `${name} is deployed` : `Deploying ${model} as ${name}`}
      actions={
        <>
          {ended && !good ? <Button onClick={onEnd}>Change and try again</Button> : null}
          <Button onClick={close}>{ended ? "Close" : "Go on in the background"}</Button>
          {good ? (
            <Button kind="primary" onClick={() => place.go(pathTo("deployments", name))}>
              Open deployment
            </Button>
          ) : null}
        </>
      }
    >
      {status ? (
        <p className="line wrap">
          <State tone={JOB[status].tone}>{JOB[status].word}</State>
          {row.data?.outcome ? <span className="quiet">{row.data.outcome}</span> : null}
        </p>
      ) : null}
      {row.isError ? <Failure report={toReport(row.error)} /> : null}
      <div className="deploy-log">
        <JobLog id={job} />
      </div>
    </Dialog>
  );
}
