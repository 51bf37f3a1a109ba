import { toast } from "sonner";
import { useAction } from "../api/client";
import type { StartSweep, TrialRow } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Failure } from "../shared/states";
import { Button, Facts } from "../shared/ui";
import { assigned } from "./sweep";

/** Makes a trial's parameters the project's own. */
export function UseTrial({
  asked,
  trial,
  onClose,
}: {
  asked: StartSweep;
  trial: TrialRow;
  onClose: () => void;
}) {
  const place = usePlace();
  const run = useAction("pipeline.run", {
    quiet: true,
    onDone: ({ run_id, stages }) => {
      onClose();
      if (run_id === null) {
        toast.success("The parameters are set, and everything is up to date with them");
        return;
      }
      toast.success(`The parameters are set; bringing ${plural(stages.length, "stage")} up to date`, {
        action: { label: "Follow", onClick: () => place.go(pathTo("runs", run_id)) },
      });
    },
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={`Use the parameters of trial ${trial.number}?`}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={run.isPending}
            onClick={() =>
              run.mutate({
                project: asked.project,
                stages: asked.stages,
                force: false,
                target: asked.target,
                on: asked.on,
                set: trial.set,
              })
            }
          >
            Use them
          </Button>
        </>
      }
    >
      <p>
        These go into the project’s parameter file, and the pipeline runs with them. What this trial made
        comes from the cache; only what is missing runs.
      </p>
      <div className="used">
        <Facts
          rows={trial.set.map((text) => {
            const [name, value] = assigned(text);
            return [name, <code key={name}>{value}</code>];
          })}
        />
      </div>
      {run.isError ? <Failure report={toReport(run.error)} /> : null}
    </Dialog>
  );
}
