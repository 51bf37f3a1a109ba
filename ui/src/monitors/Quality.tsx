import type { QualityRow } from "../api/generated";
import { percent } from "../shared/format";
import { Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";

const worse = (row: QualityRow) => (row.missing ?? 0) > Math.max(0.01, 2 * (row.missing_reference ?? 0));

const COLUMNS: Column<QualityRow>[] = [
  {
    key: "column",
    title: "Column",
    width: "minmax(120px, 1fr)",
    cell: (row) => <span title={row.column}>{row.column}</span>,
    order: (row) => row.column,
  },
  {
    key: "missing",
    title: "Missing",
    width: "80px",
    numeric: true,
    cell: (row) => <span className={worse(row) ? "state-stale" : undefined}>{percent(row.missing)}</span>,
    order: (row) => row.missing,
  },
  {
    key: "reference",
    title: "In the reference",
    width: "104px",
    numeric: true,
    cell: (row) => percent(row.missing_reference),
    order: (row) => row.missing_reference,
  },
  {
    key: "range",
    title: "Out of range",
    width: "88px",
    numeric: true,
    hint: "Share of values outside the reference's least and greatest",
    cell: (row) => (
      <span className={(row.out_of_range ?? 0) > 0 ? "state-stale" : undefined}>
        {percent(row.out_of_range)}
      </span>
    ),
    order: (row) => row.out_of_range,
  },
  {
    key: "new",
    title: "New categories",
    width: "minmax(120px, 1fr)",
    cell: (row) =>
      row.new_categories.length === 0 ? (
        <span className="faint">none</span>
      ) : (
        <span className="state-stale" title={row.new_categories.join(", ")}>
          {row.new_categories.join(", ")}
        </span>
      ),
    order: (row) => row.new_categories.length,
  },
  {
    key: "note",
    title: "Note",
    width: "minmax(100px, 1.4fr)",
    cell: (row) => <span className="faint">{row.note ?? ""}</span>,
  },
];

export function Quality({ rows }: { rows: readonly QualityRow[] }) {
  if (rows.length === 0)
    return (
      <Empty title="Nothing to check">No predictions lie in this window, or there is no reference.</Empty>
    );
  return <Table label="Quality" rows={rows} columns={COLUMNS} id={({ column }) => column} />;
}
