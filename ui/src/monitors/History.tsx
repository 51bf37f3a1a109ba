import { useMemo } from "react";
import { useCommand } from "../api/client";
import type { Measured } from "../api/generated";
import { type Line, LineChart } from "../shared/LineChart";
import { Asked, Empty } from "../shared/states";
import { metricWord } from "./words";

/** What the checks found over time, a chart for each metric with the line that raises its alert. */
export function History({ name }: { name: string }) {
  const history = useCommand("monitors.history", { name }, { every: 15_000, keep: true });
  return <Asked query={history}>{(rows) => <Charts name={name} rows={rows} />}</Asked>;
}

function Charts({ name, rows }: { name: string; rows: readonly Measured[] }) {
  const metrics = useMemo(() => [...new Set(rows.map(({ metric }) => metric))], [rows]);
  if (rows.length === 0)
    return (
      <Empty title="Nothing measured yet" cli={`lapwing monitors show ${name} --history`}>
        Every check leaves a point here when it finds something else than the one before.
      </Empty>
    );
  return (
    <div className="sheet">
      <div className="two-charts">
        {metrics.map((metric) => (
          <Chart key={metric} deployment={name} metric={metric} rows={rows} />
        ))}
      </div>
    </div>
  );
}

function Chart({
  deployment,
  metric,
  rows,
}: {
  deployment: string;
  metric: string;
  rows: readonly Measured[];
}) {
  const own = useMemo(() => rows.filter((row) => row.metric === metric), [rows, metric]);
  const lines = useMemo<Line[]>(
    () => [{ name: metric, color: 0, points: own.map(({ at, value }) => ({ x: at, y: value })) }],
    [own, metric],
  );
  const limit = own.at(-1)?.line ?? null;
  return (
    <LineChart
      title={metric === "drift" ? "Share of drifted columns" : metricWord(metric)}
      lines={lines}
      time
      height={180}
      sync={`history ${deployment}`}
      level={limit === null ? null : { name: "limit", value: limit }}
    />
  );
}
