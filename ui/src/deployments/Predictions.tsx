import { useState } from "react";
import { useCommand } from "../api/client";
import type { LoggedPrediction } from "../api/generated";
import { Dialog } from "../shared/Dialog";
import { exactly, figure, milliseconds } from "../shared/format";
import { usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Button, CopyButton, Facts, Id, Time } from "../shared/ui";

const LIMIT = 2000;

const COLUMNS: Column<LoggedPrediction>[] = [
  { key: "at", title: "At", width: "88px", cell: (row) => <Time at={row.at} />, order: (row) => row.at },
  {
    key: "prediction",
    title: "Prediction",
    width: "minmax(90px, 1fr)",
    cell: (row) => <span title={row.prediction}>{row.prediction}</span>,
    order: (row) => row.prediction,
  },
  {
    key: "score",
    title: "Score",
    width: "72px",
    numeric: true,
    cell: (row) => <span title={String(row.score ?? "")}>{figure(row.score)}</span>,
    order: (row) => row.score,
  },
  {
    key: "label",
    title: "Label",
    width: "minmax(70px, 1fr)",
    hint: "The truth, where it is known by now",
    cell: (row) => row.label ?? <span className="faint">–</span>,
    order: (row) => row.label,
  },
  {
    key: "latency",
    title: "Latency",
    width: "72px",
    numeric: true,
    cell: (row) => milliseconds(row.latency_ms),
    order: (row) => row.latency_ms,
  },
  {
    key: "revision",
    title: "Revision",
    width: "64px",
    numeric: true,
    cell: (row) => row.revision,
    order: (row) => row.revision,
  },
  {
    key: "features",
    title: "Features",
    width: "minmax(200px, 4fr)",
    cell: (row) => <code className="faint">{featuresLine(row.features)}</code>,
  },
  {
    key: "id",
    title: "Prediction id",
    width: "112px",
    cell: ({ prediction_id }) => (
      <span className="id">
        <code title={prediction_id}>{tail(prediction_id)}</code>
        <CopyButton text={prediction_id} label={`Copy ${prediction_id}`} />
      </span>
    ),
  },
];

/** Ids of one second begin alike, so their ends tell them apart. */
const tail = (id: string) => (id.length > 9 ? `…${id.slice(-8)}` : id);

function entries(features: unknown): [string, string][] {
  if (typeof features !== "object" || features === null) return [];
  return Object.entries(features).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
}

function featuresLine(features: unknown): string {
  return entries(features)
    .map(([name, value]) => `${name}=${value}`)
    .join("  ");
}

export function Predictions({ name }: { name: string }) {
  const [shown, setShown] = useState<LoggedPrediction | null>(null);
  const rows = useCommand("deployments.predictions", { name, limit: LIMIT }, { every: 5000 });
  return (
    <>
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty title="No predictions yet" cli={`lapwing predict ${name}`}>
              Send a row with Try it; each prediction gets an id that labels join later.
            </Empty>
          ) : (
            <Table
              label="Predictions"
              rows={answer}
              columns={COLUMNS}
              id={(row) => row.prediction_id}
              onOpen={setShown}
            />
          )
        }
      </Asked>
      {shown ? <One row={shown} onClose={() => setShown(null)} /> : null}
    </>
  );
}

function One({ row, onClose }: { row: LoggedPrediction; onClose: () => void }) {
  const place = usePlace();
  const text = JSON.stringify(row.features, null, 2);
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={`Predicted ${row.prediction}`}
      actions={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button onClick={() => place.set({ tab: "lineage", of: row.prediction_id }, false)}>Lineage</Button>
        </>
      }
    >
      <Facts
        rows={[
          ["Prediction id", <Id key="id" id={row.prediction_id} full />],
          ["At", exactly(row.at)],
          ["Score", row.score === null ? "–" : String(row.score)],
          ["Label", row.label ?? "not known yet"],
          ["Latency", milliseconds(row.latency_ms)],
          ["Revision", row.revision],
        ]}
      />
      <div className="line">
        <h3 className="grow">Features</h3>
        <CopyButton text={text} label="Copy the features" />
      </div>
      <Facts rows={entries(row.features)} />
    </Dialog>
  );
}
