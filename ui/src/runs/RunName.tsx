import type { RunRow } from "../api/generated";
import { shortId } from "../shared/format";
import { pathTo } from "../shared/place";
import { To } from "../shared/ui";

/** A trial leads to its sweep. */
export function RunName({ row }: { row: RunRow }) {
  const name = <span title={`${row.name} ${row.run_id}`}>{row.name}</span>;
  if (row.parent === null) return name;
  return (
    <span className="line">
      {name}
      <To to={pathTo("runs", row.parent)} className="cut">
        {`of ${shortId(row.parent)}`}
      </To>
    </span>
  );
}
