import { FileSpreadsheet, FolderOpen } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { StartScoring } from "../api/generated";
import { host, toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { Asked, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { TextField } from "../shared/TextField";
import { Button, Field } from "../shared/ui";
import { type Place, Travelling, Where } from "../shared/Where";
import { Scoring } from "./Scoring";
import { outFault, outOf } from "./scored";

/** Asks which file, where to and where, then follows the job until the predictions are there. */
export function ScoreDialog({
  name,
  version,
  open,
  onOpenChange,
}: {
  name: string;
  version: number;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [project] = useProject();
  const [data, setData] = useState("");
  const [named, setNamed] = useState<string | null>(null);
  const [place, setPlace] = useState<Place>({ target: "process", on: null });
  const [job, setJob] = useState<string | null>(null);
  const status = useCommand("status.get", {}, { enabled: open });
  const score = useAction("scoring.start", { quiet: true, onDone: (started) => setJob(started.job) });
  const out = named ?? outOf(data);
  const fault = outFault(out);
  const ready = data.trim() !== "" && fault === null;
  const input: StartScoring = {
    model: `models:/${name}/${version}`,
    data: data.trim(),
    out: out.trim(),
    project,
    ...place,
  };
  if (job)
    return (
      <Scoring
        job={job}
        called={`${name} v${version}`}
        open={open}
        onOpenChange={onOpenChange}
        onEnd={() => setJob(null)}
      />
    );
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Score a file with ${name} v${version}`}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            icon={FileSpreadsheet}
            type="submit"
            form="score"
            busy={score.isPending}
            disabled={!ready}
          >
            Score
          </Button>
        </>
      }
    >
      <form
        id="score"
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !score.isPending) score.mutate(input);
        }}
      >
        <Field label="Data" hint="CSV, Parquet or JSON lines; or a folder with files of one kind">
          <span className="line">
            <input
              className="input mono grow"
              value={data}
              placeholder="/path/to/rows.csv"
              onChange={(event) => setData(event.target.value)}
            />
            <Button
              icon={FolderOpen}
              onClick={() =>
                void host()
                  .pickFile("Rows to score")
                  .then((path) => path && setData(path))
              }
            >
              Choose…
            </Button>
          </span>
        </Field>
        <TextField
          label="Predictions"
          hint="The columns of the data, and behind them prediction and score"
          fault={out === "" ? null : fault}
          value={out}
          onChange={setNamed}
        />
        <Where
          project={project}
          label="Where the scoring runs"
          status={status.data}
          place={place}
          onChange={setPlace}
        >
          {ready ? <Uploads input={input} /> : null}
        </Where>
        <p className="quiet">
          It runs as a job in the model’s own environment, and goes on when the window is closed.
        </p>
      </form>
      {score.isError ? <Failure report={toReport(score.error)} /> : null}
    </Dialog>
  );
}

/** What would travel, before anything does. */
function Uploads({ input }: { input: StartScoring }) {
  const list = useCommand("scoring.uploads", input);
  return <Asked query={list}>{({ files, bytes }) => <Travelling files={files} total={bytes} />}</Asked>;
}
