import { GitCompare, RotateCw } from "lucide-react";
import { useState } from "react";
import { useAction } from "../api/client";
import type { RunDetail, StartSweep, SweepView, TrialRow } from "../api/generated";
import { figure } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Prose } from "../shared/states";
import { tallySentence } from "../shared/trials";
import { Button } from "../shared/ui";
import { BestTag } from "./BestTag";
import { MOST_COMPARED } from "./runs";
import { SweepCharts } from "./SweepCharts";
import { SweepOverview } from "./SweepOverview";
import { againSentence, bestOf, bestSentence, doneShare } from "./sweep";
import { Trials } from "./Trials";
import { TrialFailures, TrialsDoing } from "./TrialWords";
import { UseTrial } from "./UseTrial";

function Progress({ trials }: { trials: readonly TrialRow[] }) {
  const share = doneShare(trials);
  return (
    <>
      <div
        className="sweep-bar"
        role="progressbar"
        aria-label="Trials done"
        aria-valuenow={share}
        aria-valuemin={0}
        aria-valuemax={100}
      >
        <div style={{ width: `${share}%` }} />
      </div>
      <span className="nowrap">{tallySentence(trials)}</span>
    </>
  );
}

/** How far it is, which trial is the best, and what can be done with what is chosen. */
function SweepHead({
  view,
  selected,
  onClear,
  onUse,
}: {
  view: SweepView;
  selected: ReadonlySet<string>;
  onClear: () => void;
  onUse: (trial: TrialRow) => void;
}) {
  const place = usePlace();
  const best = bestOf(view);
  const chosen = view.trials.filter(({ number }) => selected.has(String(number)));
  const ids = chosen.flatMap(({ run_id }) => (run_id === null ? [] : [run_id]));
  return (
    <div className="toolbar wrap">
      <Progress trials={view.trials} />
      <span className="grow" />
      {selected.size > 0 ? (
        <>
          <Button kind="ghost" onClick={onClear}>
            Clear {selected.size}
          </Button>
          <Button
            icon={GitCompare}
            disabled={ids.length < 2}
            title="Select two trials or more that have begun"
            onClick={() => place.go(`/runs/compare?ids=${ids.slice(0, MOST_COMPARED).join(",")}`)}
          >
            Compare
          </Button>
        </>
      ) : null}
      {best && view.asked.goal ? (
        <div className="line sweep-best">
          <BestTag />
          <span className="nowrap">{`trial ${best.number},`}</span>
          <span className="cut" title={view.asked.goal.metric}>
            {view.asked.goal.metric}
          </span>
          <span className="num">{figure(best.metrics[view.asked.goal.metric])}</span>
          <Button kind="primary" onClick={() => onUse(best)}>
            Use these parameters…
          </Button>
        </div>
      ) : null}
    </div>
  );
}

/** The same trials: those that finished come from the cache. */
function SweepAgain({ asked }: { asked: StartSweep }) {
  const place = usePlace();
  const start = useAction("pipeline.sweep", {
    onDone: ({ run_id }) => place.go(pathTo("runs", run_id)),
  });
  return (
    <Button icon={RotateCw} busy={start.isPending} onClick={() => start.mutate(asked)}>
      Sweep again
    </Button>
  );
}

/** What ended it early, and what to do then. */
function SweepWords({ view }: { view: SweepView }) {
  const again = againSentence(view);
  const best = bestSentence(view);
  if (view.failure) {
    return (
      <div className="failure" role="alert">
        <p className="failure-message">
          <Prose text={`The sweep failed: ${view.failure}`} />
        </p>
        <p className="quiet">{again}</p>
        <TrialFailures trials={view.trials} />
        <div>
          <SweepAgain asked={view.asked} />
        </div>
      </div>
    );
  }
  const silent = view.trials.every(({ status, doing }) => status !== "FAILED" && doing === null);
  if (!again && !best && silent) return null;
  return (
    <div className="sweep-words quiet">
      <TrialsDoing trials={view.trials} />
      {best ? <p>{best}</p> : null}
      <TrialFailures trials={view.trials} />
      {again ? (
        <div className="line">
          <p className="grow">{again}</p>
          <SweepAgain asked={view.asked} />
        </div>
      ) : null}
    </div>
  );
}

/** A sweep, on the page of its run. */
export function Sweep({ view, detail, tab }: { view: SweepView; detail: RunDetail; tab: string }) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [using, setUsing] = useState<TrialRow | null>(null);
  return (
    <>
      {tab === "trials" ? (
        <>
          <SweepHead
            view={view}
            selected={selected}
            onClear={() => setSelected(new Set())}
            onUse={setUsing}
          />
          <SweepWords view={view} />
          <div className="grow" style={{ minHeight: 0 }}>
            <Trials view={view} selected={selected} onSelect={setSelected} onUse={setUsing} />
          </div>
        </>
      ) : null}
      {tab === "charts" ? <SweepCharts view={view} /> : null}
      {tab === "overview" ? <SweepOverview view={view} detail={detail} /> : null}
      {using ? <UseTrial asked={view.asked} trial={using} onClose={() => setUsing(null)} /> : null}
    </>
  );
}
