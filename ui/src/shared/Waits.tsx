// A run whose process is gone, and that goes on only when somebody says so.
import { useAction } from "../api/client";
import { exactly, moment } from "./format";
import { Prose } from "./states";
import { Button, StateMark, useNow } from "./ui";
import "./waits.css";

/** What waits, why, and what the two buttons near it do. */
export function Waits({ started, why }: { started: number; why: string }) {
  const now = useNow();
  return (
    <span>
      The run of <time title={exactly(started)}>{moment(started, now)}</time> waits: <Prose text={why} />. Run
      goes on with what is here now, Stop ends it.
    </span>
  );
}

/** The same above what fills a page. */
export function WaitsBanner(run: { started: number; why: string }) {
  return (
    <p className="waits" role="status">
      <StateMark tone="stale" />
      <Waits {...run} />
    </p>
  );
}

/** The two answers, where no page has them. */
export function WaitsActions({ run_id }: { run_id: string }) {
  const resume = useAction("pipeline.resume", { done: "It goes on" });
  const stop = useAction("pipeline.stop", { done: "Stopped" });
  return (
    <div className="line">
      <Button kind="primary" busy={resume.isPending} onClick={() => resume.mutate({ run_id })}>
        Run
      </Button>
      <Button kind="danger" busy={stop.isPending} onClick={() => stop.mutate({ run_id })}>
        Stop
      </Button>
    </div>
  );
}
