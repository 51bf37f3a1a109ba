import { useCommand } from "../api/client";
import type { DeploymentRow } from "../api/generated";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Page, Time } from "../shared/ui";

const COLUMNS: Column<DeploymentRow>[] = [
  {
    key: "name",
    title: "Deployment",
    width: "minmax(160px, 2fr)",
    cell: (row) => row.name,
    order: (row) => row.name,
  },
  { key: "state", title: "State", width: "100px", cell: (row) => row.state },
  { key: "model", title: "Model", width: "minmax(140px, 1fr)", cell: (row) => row.model },
  {
    key: "updated",
    title: "Updated",
    width: "120px",
    cell: (row) => <Time at={row.updated} />,
    order: (row) => row.updated,
  },
];

export default function DeploymentsPage() {
  const place = usePlace();
  const rows = useCommand("deployments.list", {});
  return (
    <Page title="Deployments" flush>
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty title="No deployments yet" cli="lapwing deploy NAME@champion">
              Deploy a registered model to get an endpoint on this machine.
            </Empty>
          ) : (
            <Table
              label="Deployments"
              rows={answer}
              columns={COLUMNS}
              id={(row) => row.name}
              onOpen={(row) => place.go(pathTo("deployments", row.name))}
            />
          )
        }
      </Asked>
    </Page>
  );
}
