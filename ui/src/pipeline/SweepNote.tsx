import { Square } from "lucide-react";
import { useAction, useCommand } from "../api/client";
import { pathTo } from "../shared/place";
import { sweepEvery, tally } from "../shared/trials";
import { Button, State, To } from "../shared/ui";

/** The sweep that goes on, wherever it was started. */
export function SweepNote({ id }: { id: string }) {
  const sweep = useCommand("pipeline.get_sweep", { run_id: id }, { every: sweepEvery });
  const stop = useAction("pipeline.stop", { done: "Stopped" });
  const trials = sweep.data?.trials ?? [];
  return (
    <div className="sweep-note line" role="status">
      <State tone="running">
        {sweep.data
          ? `A sweep goes on: ${tally(trials).done} of ${trials.length} trials done`
          : "A sweep goes on"}
      </State>
      <To to={pathTo("runs", id)}>Follow the sweep</To>
      <span className="grow" />
      <Button kind="danger" icon={Square} busy={stop.isPending} onClick={() => stop.mutate({ run_id: id })}>
        Stop the sweep
      </Button>
    </div>
  );
}
