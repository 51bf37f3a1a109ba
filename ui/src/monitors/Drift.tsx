import { useState } from "react";
import type { ColumnDriftRow, MonitorView } from "../api/generated";
import { Dialog } from "../shared/Dialog";
import { count, percent } from "../shared/format";
import { Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Button, State } from "../shared/ui";
import { DistributionChart, DistributionKey, Sparkline } from "./Distribution";
import { driftSentence, measured } from "./words";

const COLUMNS: Column<ColumnDriftRow>[] = [
  {
    key: "column",
    title: "Column",
    width: "minmax(110px, 1fr)",
    cell: (row) => <span title={row.column}>{row.column}</span>,
    order: (row) => row.column,
  },
  {
    key: "shape",
    title: "Reference and now",
    width: "128px",
    cell: (row) => <Sparkline row={row} />,
  },
  {
    key: "state",
    title: "Found",
    width: "112px",
    cell: (row) => (
      <State tone={row.drifted ? "stale" : row.value === null ? "idle" : "good"}>
        {row.drifted ? "drifted" : row.value === null ? "not compared" : "as before"}
      </State>
    ),
    order: (row) => (row.drifted ? 1 : 0),
  },
  {
    key: "test",
    title: "Test",
    width: "minmax(190px, 2fr)",
    cell: (row) => (
      <span className={row.drifted ? undefined : "quiet"} title={driftSentence(row)}>
        {measured(row)}
      </span>
    ),
    order: (row) => row.value,
  },
  {
    key: "note",
    title: "Note",
    width: "minmax(80px, 1.6fr)",
    cell: (row) => (
      <span className="faint" title={row.note ?? undefined}>
        {row.note ?? ""}
      </span>
    ),
  },
];

export function Drift({ view }: { view: MonitorView }) {
  const [shown, setShown] = useState<string | null>(null);
  const row = view.columns.find(({ column }) => column === shown);
  if (view.columns.length === 0)
    return (
      <Empty title="Nothing to compare">
        {view.row.rows === 0
          ? "No predictions lie in this window."
          : view.row.rows < 30
            ? "Fewer than 30 predictions say nothing about a distribution yet."
            : "The reference has no column that the predictions have."}
      </Empty>
    );
  return (
    <>
      <Table
        label="Columns"
        rows={view.columns}
        columns={COLUMNS}
        id={({ column }) => column}
        onOpen={({ column }) => setShown(column)}
      />
      {row ? <Large row={row} view={view} onClose={() => setShown(null)} /> : null}
    </>
  );
}

function Large({ row, view, onClose }: { row: ColumnDriftRow; view: MonitorView; onClose: () => void }) {
  const [table, setTable] = useState(false);
  const { labels, reference, current } = row.distribution;
  return (
    <Dialog
      wide
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={driftSentence(row)}
      actions={
        <>
          <Button kind="ghost" aria-pressed={table} onClick={() => setTable(!table)}>
            {table ? "As a chart" : "As a table"}
          </Button>
          <Button onClick={onClose}>Close</Button>
        </>
      }
    >
      <div className="line wrap">
        <DistributionKey drifted={row.drifted} />
        <span className="grow" />
        <span className="faint">
          {`${count(view.reference_rows)} reference rows, ${count(view.row.rows)} predictions`}
        </span>
      </div>
      {table ? (
        <Table
          short
          label={`Distribution of ${row.column}`}
          rows={labels.map((label, index) => ({
            label,
            before: reference[index] ?? null,
            now: current[index] ?? null,
          }))}
          id={({ label }) => label}
          columns={[
            { key: "label", title: "Value", width: "minmax(120px, 1fr)", cell: ({ label }) => label },
            {
              key: "before",
              title: "Reference",
              width: "96px",
              numeric: true,
              cell: ({ before }) => percent(before),
            },
            { key: "now", title: "Now", width: "96px", numeric: true, cell: ({ now }) => percent(now) },
          ]}
        />
      ) : (
        <DistributionChart row={row} />
      )}
      {row.note ? <p className="quiet">{row.note}</p> : null}
    </Dialog>
  );
}
