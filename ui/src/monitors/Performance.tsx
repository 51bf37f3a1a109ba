import { useMemo } from "react";
import type { MonitorView, PerformancePoint } from "../api/generated";
import { count, figure, percent, when } from "../shared/format";
import { type Line, LineChart } from "../shared/LineChart";
import { Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Section } from "../shared/ui";
import { byVersion, metricNames, metricWord } from "./words";

export function Performance({ view }: { view: MonitorView }) {
  const names = useMemo(() => metricNames(view.performance, view.watched_metric), [view]);
  const columns = useMemo(() => columnsOf(names), [names]);
  const newestFirst = useMemo(() => [...view.performance].reverse(), [view.performance]);
  if (view.performance.length === 0 || names.length === 0)
    return (
      <Empty title="No labels yet" cli={`lapwing monitors labels ${view.row.deployment} FILE`}>
        Once the truth is known, add it as a file with prediction_id and label; accuracy over time follows
        from it.
      </Empty>
    );
  return (
    <div className="sheet">
      <div className="two-charts">
        {names.slice(0, 4).map((name) => (
          <MetricChart key={name} name={name} view={view} />
        ))}
      </div>
      <Section title="Slices of time">
        <div className="slices">
          <Table
            short
            label="Performance over time"
            rows={newestFirst}
            columns={columns}
            id={({ from }) => String(from)}
          />
        </div>
      </Section>
    </div>
  );
}

function MetricChart({ name, view }: { name: string; view: MonitorView }) {
  const lines = useMemo<Line[]>(
    () =>
      byVersion(view.performance, name).map(({ version, points }, color) => ({
        name: version,
        color,
        points,
      })),
    [name, view.performance],
  );
  const watched = view.watched_metric === name && view.watched_line !== null;
  return (
    <LineChart
      title={metricWord(name)}
      lines={lines}
      time
      height={180}
      sync={`monitor ${view.row.deployment}`}
      level={watched ? { name: "limit", value: view.watched_line ?? 0 } : null}
    />
  );
}

function columnsOf(names: readonly string[]): Column<PerformancePoint>[] {
  return [
    {
      key: "from",
      title: "From",
      width: "minmax(120px, 1fr)",
      cell: (row) => <span title={`until ${when(row.to)}`}>{when(row.from)}</span>,
      order: (row) => row.from,
    },
    {
      key: "labelled",
      title: "Labelled",
      width: "110px",
      numeric: true,
      cell: (row) => `${count(row.labelled)} of ${count(row.rows)}`,
      order: (row) => row.labelled,
    },
    ...names.slice(0, 6).map(
      (name): Column<PerformancePoint> => ({
        key: name,
        title: metricWord(name),
        width: "80px",
        numeric: true,
        cell: (row) => <span title={String(row.metrics[name] ?? "")}>{figure(row.metrics[name])}</span>,
        order: (row) => row.metrics[name] ?? null,
      }),
    ),
    {
      key: "drifted",
      title: "Drifted",
      width: "72px",
      numeric: true,
      cell: (row) => percent(row.drifted_share),
      order: (row) => row.drifted_share,
    },
    {
      key: "model",
      title: "Model",
      width: "72px",
      cell: (row) => row.model_versions.map((version) => `v${version}`).join(", ") || "–",
    },
  ];
}
