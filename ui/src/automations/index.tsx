import { useCommand } from "../api/client";
import { host } from "../host";
import { plural } from "../shared/format";
import { usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { useProject } from "../shared/stored";
import { Button, CopyButton, Page, Section } from "../shared/ui";
import { Policies } from "./Policies";
import { Trail } from "./Trail";
import "../shared/detail.css";
import "./automations.css";

const EXAMPLE = `[[automation]]
name = "retrain-when-worse"
deployment = "NAME"
model = "NAME"
on = { performance = { metric = "auc", below = 0.70, min_rows = 500 } }
retrain = { add = ["data/raw"] }
gate = { metric = "auc", margin = 0.01, data = "data/heldout.parquet", label = "late" }
`;

/** `/automations`, `/automations/POLICY`: with a policy, only its part of the audit trail. */
export default function AutomationPage() {
  const [project] = useProject();
  const { rest } = usePlace();
  return project ? <Automation project={project} policy={rest[0] ?? null} /> : null;
}

function Automation({ project, policy }: { project: string; policy: string | null }) {
  const place = usePlace();
  const rows = useCommand("automations.list", { project }, { every: 10_000 });
  const log = useCommand("automations.log", { project }, { every: 10_000 });
  const all = rows.data ?? [];
  return (
    <Page
      title={policy ?? "Automation"}
      crumbs={policy ? [["Automation", "/automations"]] : undefined}
      note={all.length > 0 && !policy ? plural(all.length, "policy", "policies") : null}
    >
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <>
              <Empty
                title="No automations yet"
                cli="lapwing automations list"
                action={
                  <Button kind="primary" onClick={() => void host().reveal(`${project}/lapwing.toml`)}>
                    Show lapwing.toml
                  </Button>
                }
              >
                Write an [[automation]] into lapwing.toml: what starts a retrain, and what the challenger must
                beat to be released.
              </Empty>
              <Section title="For example" aside={<CopyButton text={EXAMPLE} label="Copy the example" />}>
                <pre className="code example">{EXAMPLE}</pre>
              </Section>
            </>
          ) : (
            <Policies
              project={project}
              rows={policy ? answer.filter(({ name }) => name === policy) : answer}
            />
          )
        }
      </Asked>
      {all.length > 0 || (log.data?.length ?? 0) > 0 ? (
        <Section
          title="Audit trail"
          aside={
            all.length > 1 ? (
              <select
                className="select trail-select"
                aria-label="Policy"
                value={policy ?? ""}
                onChange={(event) =>
                  place.go(
                    event.target.value
                      ? `/automations/${encodeURIComponent(event.target.value)}`
                      : "/automations",
                  )
                }
              >
                <option value="">All policies</option>
                {all.map(({ name }) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            ) : null
          }
        >
          <Asked query={log}>
            {(answer) => <Trail rows={policy ? answer.filter((row) => row.policy === policy) : answer} />}
          </Asked>
        </Section>
      ) : null}
    </Page>
  );
}
