import { useCommand } from "../api/client";
import type { PolicyRow } from "../api/generated";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Page, Time } from "../shared/ui";

const COLUMNS: Column<PolicyRow>[] = [
  {
    key: "name",
    title: "Policy",
    width: "minmax(140px, 1fr)",
    cell: (row) => row.name,
    order: (row) => row.name,
  },
  { key: "trigger", title: "Trigger", width: "minmax(200px, 2fr)", cell: (row) => row.trigger },
  { key: "next", title: "Next", width: "120px", cell: (row) => <Time at={row.next} /> },
];

export default function AutomationPage() {
  const place = usePlace();
  const [project] = useProject();
  const rows = useCommand("automations.list", { project: project ?? "" });
  return (
    <Page title="Automation" flush>
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty title="No automations yet" cli="lapwing automations list">
              Add a policy to lapwing.toml that retrains when the monitor says so.
            </Empty>
          ) : (
            <Table
              label="Automation"
              rows={answer}
              columns={COLUMNS}
              id={(row) => row.name}
              onOpen={(row) => place.go(pathTo("automations", row.name))}
            />
          )
        }
      </Asked>
    </Page>
  );
}
