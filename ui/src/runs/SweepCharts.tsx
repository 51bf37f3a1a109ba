import { useMemo } from "react";
import type { SweepView, TrialRow } from "../api/generated";
import { figure } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Empty } from "../shared/states";
import { ofNumbers, type Scale, type Steps, scaleOf } from "./scale";
import { isLogarithmic, metricsOf, sweptNames, sweptValue } from "./sweep";

/** So many points want to be smaller. */
const MANY = 200;

interface Dot {
  trial: TrialRow;
  value: number;
}

function dotsOf(trials: readonly TrialRow[], metric: string): Dot[] {
  return trials.flatMap((trial) => {
    const value = trial.metrics[metric];
    return value === undefined || value === null ? [] : [{ trial, value }];
  });
}

const percent = (part: number) => `${part * 100}%`;

/** One metric against one parameter: a point for each trial, a ring around the best. */
function SliceChart({
  name,
  metric,
  dots,
  y,
  best,
  steps,
}: {
  name: string;
  metric: string;
  dots: Dot[];
  y: Scale;
  steps: Steps;
  best: number | null;
}) {
  const x = useMemo(
    () =>
      scaleOf(
        dots.map(({ trial }) => sweptValue(trial, name) ?? ""),
        steps,
      ),
    [dots, name, steps],
  );
  // The best is drawn last, over the others.
  const ordered = [...dots].sort((a, b) => Number(a.trial.number === best) - Number(b.trial.number === best));
  return (
    <figure className="chart slice" aria-label={`${metric} against ${name}`}>
      <figcaption className="chart-head">
        <span className="chart-title cut" title={name}>
          {name}
        </span>
        <span className="faint chart-x cut">{`${metric} at each value`}</span>
      </figcaption>
      <div className="slice-frame">
        <div className="slice-plot">
          {y.ticks.map(({ at, text }) => (
            <span key={text} className="slice-y faint" style={{ bottom: percent(at) }}>
              {text}
            </span>
          ))}
          <svg width="100%" height="100%" role="img" aria-label={`${dots.length} trials`}>
            {y.ticks.map(({ at }) => (
              <line
                key={at}
                x1="0"
                x2="100%"
                y1={percent(1 - at)}
                y2={percent(1 - at)}
                className="slice-grid"
              />
            ))}
            {ordered.map(({ trial, value }) => {
              const text = sweptValue(trial, name) ?? "";
              const [left, up] = [x.at(text), y.at(String(value))];
              if (left === null || up === null) return null;
              const where = { cx: percent(left), cy: percent(1 - up) };
              return (
                <a
                  key={trial.number}
                  href={trial.run_id === null ? undefined : `#${pathTo("runs", trial.run_id)}`}
                  tabIndex={-1}
                >
                  <title>{`trial ${trial.number}: ${metric} ${figure(value)}, ${trial.set.join(", ")}`}</title>
                  <circle {...where} r={dots.length > MANY ? 3 : 4} className="slice-dot" />
                  {trial.number === best ? <circle {...where} r="7" className="slice-best" /> : null}
                </a>
              );
            })}
          </svg>
          {x.ticks.map(({ at, text }) => (
            <span key={text} className="slice-x faint cut" style={{ left: percent(at) }} title={text}>
              {text}
            </span>
          ))}
        </div>
      </div>
    </figure>
  );
}

/** A metric against each parameter of the sweep. */
export function SweepCharts({ view }: { view: SweepView }) {
  const place = usePlace();
  const keys = metricsOf(view);
  const metric = place.search.metric ?? keys[0] ?? "";
  const dots = useMemo(() => dotsOf(view.trials, metric), [view.trials, metric]);
  const y = useMemo(() => (dots.length > 0 ? ofNumbers(dots.map(({ value }) => value)) : null), [dots]);
  if (keys.length === 0 || !y) {
    return (
      <Empty title="No metrics yet" cli='mlflow.log_metric("auc", 0.7)'>
        {view.status === "RUNNING"
          ? "Trials appear here as soon as they end."
          : "No trial has a metric that could be drawn."}
      </Empty>
    );
  }
  return (
    <>
      <div className="toolbar">
        <label className="line">
          <span className="quiet">Metric</span>
          <select
            className="input sweep-metric"
            value={metric}
            onChange={(event) =>
              place.set({ metric: event.target.value === keys[0] ? null : event.target.value })
            }
          >
            {keys.map((key) => (
              <option key={key} value={key}>
                {key}
              </option>
            ))}
          </select>
        </label>
        <span className="grow" />
        {view.best === null ? null : (
          <span className="line quiet nowrap">
            <svg width="16" height="16" aria-hidden="true">
              <circle cx="8" cy="8" r="3.5" className="slice-dot" />
              <circle cx="8" cy="8" r="6.5" className="slice-best" />
            </svg>
            {`trial ${view.best}, the best`}
          </span>
        )}
      </div>
      <div className="charts">
        {sweptNames(view.trials).map((name) => (
          <SliceChart
            key={name}
            name={name}
            metric={metric}
            dots={dots}
            y={y}
            best={view.best}
            steps={isLogarithmic(view.asked, name) ? "powers" : "fitting"}
          />
        ))}
      </div>
    </>
  );
}
