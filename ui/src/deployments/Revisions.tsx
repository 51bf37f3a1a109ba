import { Undo2 } from "lucide-react";
import { useMemo, useState } from "react";
import { useAction } from "../api/client";
import type { DeploymentDetail, RevisionRow } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { percent } from "../shared/format";
import { pathTo } from "../shared/place";
import { Empty, Failure } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Button, Facts, State, Time, To } from "../shared/ui";
import { servedName } from "./words";

const COLUMNS: Column<RevisionRow>[] = [
  {
    key: "number",
    title: "Revision",
    width: "72px",
    cell: (row) => <strong>{row.number}</strong>,
    order: (row) => row.number,
  },
  {
    key: "traffic",
    title: "Traffic",
    width: "90px",
    cell: (row) =>
      (row.traffic ?? 0) > 0 ? (
        <State tone="good">{percent(row.traffic)}</State>
      ) : (
        <span className="faint">none</span>
      ),
    order: (row) => row.traffic,
  },
  {
    key: "model",
    title: "Model",
    width: "minmax(140px, 1fr)",
    cell: (row) => <span title={row.model}>{servedName(row)}</span>,
  },
  {
    key: "run",
    title: "Run",
    width: "88px",
    cell: (row) =>
      row.run_id ? (
        <To to={pathTo("runs", row.run_id)}>{row.run_id.slice(0, 8)}</To>
      ) : (
        <span className="faint">–</span>
      ),
  },
  {
    key: "runtime",
    title: "Runtime",
    width: "minmax(160px, 2.2fr)",
    cell: (row) => (
      <span title={row.runtime_note}>
        {row.runtime} <span className="faint">{row.runtime_note}</span>
      </span>
    ),
    order: (row) => row.runtime,
  },
  {
    key: "by",
    title: "Released by",
    width: "minmax(90px, 140px)",
    cell: (row) => <span title={row.released_by}>{row.released_by}</span>,
    order: (row) => row.released_by,
  },
  {
    key: "created",
    title: "Created",
    width: "80px",
    cell: (row) => <Time at={row.created} />,
    order: (row) => row.created,
  },
];

export function Revisions({ detail: { row, revisions } }: { detail: DeploymentDetail }) {
  const [back, setBack] = useState<RevisionRow | null>(null);
  const columns = useMemo<Column<RevisionRow>[]>(
    () => [
      ...COLUMNS,
      {
        key: "back",
        title: "",
        width: "104px",
        cell: (revision) =>
          revision.number === row.revision ? null : (
            <Button icon={Undo2} className="in-row" onClick={() => setBack(revision)}>
              Roll back
            </Button>
          ),
      },
    ],
    [row.revision],
  );
  if (revisions.length === 0)
    return (
      <Empty title="No revisions yet" cli={`lapwing deploy NAME@champion --name ${row.name}`}>
        Each deploy makes one; the earlier ones stay to go back to.
      </Empty>
    );
  return (
    <>
      <Table label="Revisions" rows={revisions} columns={columns} id={(one) => String(one.number)} />
      {back ? (
        <RollBack
          name={row.name}
          from={revisions.find(({ number }) => number === row.revision) ?? null}
          to={back}
          onClose={() => setBack(null)}
        />
      ) : null}
    </>
  );
}

const said = (row: RevisionRow) => `${servedName(row)}, ${row.runtime}`;

/** Says which revision takes over from which before it does. */
export function RollBack({
  name,
  from,
  to,
  onClose,
}: {
  name: string;
  from: RevisionRow | null;
  to: RevisionRow;
  onClose: () => void;
}) {
  const rollback = useAction("deployments.rollback", {
    quiet: true,
    done: `${name} serves revision ${to.number} again`,
    onDone: onClose,
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={
        from
          ? `Roll ${name} back from revision ${from.number} to ${to.number}?`
          : `Roll ${name} back to revision ${to.number}?`
      }
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={rollback.isPending}
            onClick={() => rollback.mutate({ name, revision: to.number })}
          >
            Roll back
          </Button>
        </>
      }
    >
      <Facts
        rows={[
          ...(from ? ([[`Now: ${from.number}`, said(from)]] satisfies [string, string][]) : []),
          [`Then: ${to.number}`, said(to)],
        ]}
      />
      <p className="quiet">
        The address stays the same. Revision {from?.number ?? "now"} is kept, so you can go forward again.
      </p>
      {rollback.isError ? <Failure report={toReport(rollback.error)} /> : null}
    </Dialog>
  );
}
