import type { SignatureColumn } from "../api/generated";
import { type Column, Table } from "../shared/Table";

const COLUMNS: Column<SignatureColumn>[] = [
  {
    key: "name",
    title: "Column",
    width: "minmax(120px, 1fr)",
    cell: (row) => <span title={row.name}>{row.name || <span className="faint">unnamed</span>}</span>,
    order: (row) => row.name,
  },
  { key: "kind", title: "Type", width: "96px", cell: (row) => <code>{row.kind}</code> },
  {
    key: "required",
    title: "Required",
    width: "80px",
    cell: (row) => (row.required ? "yes" : <span className="faint">optional</span>),
  },
];

export function Columns({ label, columns }: { label: string; columns: readonly SignatureColumn[] }) {
  if (columns.length === 0) return <p className="quiet">The model was logged without a signature.</p>;
  return (
    <Table
      short
      label={label}
      rows={columns}
      columns={COLUMNS}
      id={(row) => `${row.name} ${row.kind} ${columns.indexOf(row)}`}
    />
  );
}
