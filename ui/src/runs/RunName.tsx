import { ListTree } from "lucide-react";
import type { RunRow } from "../api/generated";
import { count, plural, shortId } from "../shared/format";
import { pathTo } from "../shared/place";
import { To } from "../shared/ui";

/** A trial leads to its sweep; a sweep says how many it has. */
export function RunName({ row }: { row: RunRow }) {
  const name = (
    <span className="cut" title={`${row.name} ${row.run_id}`}>
      {row.name}
    </span>
  );
  if (row.parent === null && row.children === 0) return name;
  if (row.parent === null) {
    return (
      <span className="line">
        {name}
        <span className="line faint aside" title={`${plural(row.children, "run")} under it`}>
          <ListTree size={12} aria-hidden />
          {count(row.children)}
        </span>
      </span>
    );
  }
  return (
    <span className="line">
      {name}
      <To to={pathTo("runs", row.parent)} className="aside">
        {`of ${shortId(row.parent)}`}
      </To>
    </span>
  );
}
