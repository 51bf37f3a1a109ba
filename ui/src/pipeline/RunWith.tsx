import { useState } from "react";
import type { StageRow, StartRun, Status } from "../api/generated";
import { Dialog } from "../shared/Dialog";
import { Button, Field } from "../shared/ui";
import { StageChoices } from "./StageChoices";
import { knownParams } from "./sweep";
import { type Place, Where } from "./Where";

/** One `key=value` a line; what is not one is named. */
export function parseSettings(text: string): { set: string[]; wrong: string | null } {
  const set = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return { set, wrong: set.find((line) => !/^[^=\s]+=.*$/.test(line)) ?? null };
}

export function RunWith({
  project,
  stages,
  status,
  open,
  onOpenChange,
  onRun,
}: {
  project: string;
  stages: StageRow[];
  status: Status | undefined;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onRun: (input: StartRun) => void;
}) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [force, setForce] = useState(false);
  const [place, setPlace] = useState<Place>({ target: "process", on: null });
  const [settings, setSettings] = useState("");
  const { set, wrong } = parseSettings(settings);
  const known = knownParams(stages).map(({ name, now }) => `${name}=${now}`);
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Run with…"
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            disabled={wrong !== null}
            onClick={() => {
              onOpenChange(false);
              onRun({ project, stages: [...chosen], force, ...place, set });
            }}
          >
            Start
          </Button>
        </>
      }
    >
      <StageChoices stages={stages} chosen={chosen} onChange={setChosen} />
      <label className="line">
        <input type="checkbox" checked={force} onChange={(event) => setForce(event.target.checked)} />
        <span>Run also what is up to date</span>
      </label>
      <Where project={project} stages={[...chosen]} status={status} place={place} onChange={setPlace} />
      <Field
        label="Parameters"
        hint={
          wrong
            ? `“${wrong}” is not key=value`
            : "One key=value a line, written to the parameter file before the run"
        }
      >
        <textarea
          className="input mono"
          rows={3}
          value={settings}
          aria-invalid={wrong !== null}
          placeholder={known.slice(0, 2).join("\n") || "train.learning_rate=0.05"}
          onChange={(event) => setSettings(event.target.value)}
        />
      </Field>
    </Dialog>
  );
}
