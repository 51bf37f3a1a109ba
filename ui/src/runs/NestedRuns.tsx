import { useCommand } from "../api/client";
import { duration, plural } from "../shared/format";
import { pathTo } from "../shared/place";
import { Section, To } from "../shared/ui";
import { RunState } from "./RunState";
import { childrenInput, runTime } from "./runs";

/** Runs that a script logged under this one. Most runs have none, and then nothing is said. */
export function NestedRuns({ parent }: { parent: string }) {
  const runs = useCommand("runs.list", childrenInput(parent));
  const { rows, next_page_token } = runs.data ?? { rows: [], next_page_token: null };
  if (rows.length === 0) return null;
  return (
    <Section
      title={next_page_token ? `The newest ${rows.length} nested runs` : plural(rows.length, "nested run")}
    >
      <ul className="rows">
        {rows.map((row) => (
          <li key={row.run_id}>
            <RunState row={row} />
            <To to={pathTo("runs", row.run_id)} className="cut grow">
              {row.name}
            </To>
            <span className="quiet num">{row.end === null ? "" : duration(runTime(row, row.end))}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
