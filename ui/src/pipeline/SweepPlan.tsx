import type { PlannedSweep, Report } from "../api/generated";
import { plural } from "../shared/format";
import { Prose } from "../shared/states";
import { planSentence } from "./sweep";

/** Nobody reads more of them. */
const MOST_TRIALS = 100;

/** What would be tried, or what is in the way. */
export function SweepPlan({
  planned,
  report,
  unfinished,
  settling,
}: {
  planned: PlannedSweep | undefined;
  /** Why it cannot be, when no parameter is to blame. */
  report: Report | null;
  /** What is not typed yet. */
  unfinished: string | null;
  settling: boolean;
}) {
  if (unfinished) return <p className="faint grow">{unfinished}</p>;
  if (report) {
    return (
      <div className="sweep-refused grow" role="alert">
        <p className="state-failed">
          <Prose text={report.message} />
        </p>
        {report.hint ? (
          <p className="quiet">
            <Prose text={report.hint} />
          </p>
        ) : null}
      </div>
    );
  }
  return (
    <div className={`grow ${settling ? "faint" : ""}`} role="status">
      <p>{planned ? planSentence(planned) : ""}</p>
      {planned?.warning ? (
        <p className="state-stale">
          <Prose text={[planned.warning.message, planned.warning.hint].filter(Boolean).join("; ")} />
        </p>
      ) : null}
    </div>
  );
}

/** The trials one by one. */
export function PlannedTrials({ planned }: { planned: PlannedSweep }) {
  const left = planned.trials.length - MOST_TRIALS;
  return (
    <details>
      <summary>{`The ${plural(planned.trials.length, "trial")}`}</summary>
      <ol className="sweep-trials mono">
        {planned.trials.slice(0, MOST_TRIALS).map((set, index) => (
          <li key={set.join(" ")} className="cut" title={set.join("  ")}>
            <span className="faint">{index + 1}</span>
            {set.map((text) => (
              <span key={text}>{text}</span>
            ))}
          </li>
        ))}
      </ol>
      {left > 0 ? <p className="faint">{`and ${left} more`}</p> : null}
    </details>
  );
}
