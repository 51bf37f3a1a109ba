import type { RunDetail } from "../api/generated";
import { LineageGraph } from "../shared/lineage/Lineage";
import { pathTo } from "../shared/place";
import { Id, Section, To } from "../shared/ui";
import "./runs.css";

export default function RunLineage({ detail }: { detail: RunDetail }) {
  return (
    <div className="run-lineage">
      <Section title="Data">
        {detail.data.length === 0 ? (
          <p className="faint">No dataset version is recorded for this run.</p>
        ) : null}
        <ul className="rows">
          {detail.data.map(({ path, hash, role }) => (
            <li key={`${role} ${path}`}>
              <span className="quiet" style={{ width: 56 }}>
                {role === "input" ? "read" : "made"}
              </span>
              <To to={pathTo("data", path)} className="cut grow">
                {path}
              </To>
              <Id id={hash} />
            </li>
          ))}
        </ul>
      </Section>
      <div className="lineage-frame">
        <LineageGraph id={detail.row.run_id} />
      </div>
    </div>
  );
}
