import { useState } from "react";
import { useCommand } from "../api/client";
import type { RunRow } from "../api/generated";
import { toReport } from "../host";
import { figure } from "../shared/format";
import { type Line, LineChart, smoothed } from "../shared/LineChart";
import { Empty, Failure, Skeleton } from "../shared/states";
import "./runs.css";

const MOST_POINTS = 2000;
const LIVE_MS = 1500;

function MetricChart({
  run,
  metric,
  smooth,
  log,
}: {
  run: RunRow;
  metric: string;
  smooth: number;
  log: boolean;
}) {
  const series = useCommand(
    "runs.metric",
    { run_id: run.run_id, key: metric, max_points: MOST_POINTS },
    { every: run.status === "RUNNING" ? LIVE_MS : false },
  );
  if (series.isError) return <Failure report={toReport(series.error)} />;
  if (!series.data) return <Skeleton rows={5} />;
  const { points, total } = series.data;
  if (points.length < 2) {
    return (
      <figure className="chart single" aria-label={metric}>
        <figcaption className="chart-head">
          <span className="chart-title cut">{metric}</span>
        </figcaption>
        <p className="single-value" title={String(points[0]?.value ?? "NaN")}>
          {points.length === 0 ? "no value" : figure(points[0]?.value)}
        </p>
        <p className="faint">{points.length === 0 ? "" : "logged once"}</p>
      </figure>
    );
  }
  const line: Line = {
    name: total > points.length ? `${metric} (${points.length} of ${total} points)` : metric,
    color: 0,
    points: points.map(({ step, value }, index) => ({ x: step ?? index, y: value })),
  };
  return <LineChart title={metric} lines={[smoothed(line, smooth)]} log={log} sync={run.run_id} />;
}

export function Charts({ run }: { run: RunRow }) {
  const [smooth, setSmooth] = useState(0);
  const [log, setLog] = useState(false);
  const [find, setFind] = useState("");
  const keys = Object.keys(run.metrics).sort();
  if (keys.length === 0) {
    return (
      <Empty title="No metrics yet" cli='mlflow.log_metric("auc", 0.7, step=1)'>
        {run.status === "RUNNING" ? "They appear here as soon as the run logs one." : "This run logged none."}
      </Empty>
    );
  }
  const shown = keys.filter((key) => key.toLowerCase().includes(find.toLowerCase()));
  return (
    <>
      <div className="toolbar">
        {keys.length > 6 ? (
          <input
            data-filter
            className="input"
            type="search"
            aria-label="Filter metrics"
            placeholder="Filter metrics"
            value={find}
            onChange={(event) => setFind(event.target.value)}
          />
        ) : null}
        <label className="line">
          <span className="quiet">Smoothing</span>
          <input
            type="range"
            min="0"
            max="0.98"
            step="0.02"
            value={smooth}
            onChange={(event) => setSmooth(Number(event.target.value))}
          />
          <span className="quiet">{smooth.toFixed(2)}</span>
        </label>
        <label className="line">
          <input type="checkbox" checked={log} onChange={(event) => setLog(event.target.checked)} />
          <span>Log axis</span>
        </label>
        <span className="grow" />
        {run.status === "RUNNING" ? <span className="state state-running">live</span> : null}
      </div>
      <div className="charts">
        {shown.map((key) => (
          <MetricChart key={key} run={run} metric={key} smooth={smooth} log={log} />
        ))}
      </div>
    </>
  );
}
