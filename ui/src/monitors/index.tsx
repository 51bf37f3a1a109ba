import { useCommand } from "../api/client";
import type { MonitorRow } from "../api/generated";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Page, Time } from "../shared/ui";

const COLUMNS: Column<MonitorRow>[] = [
  {
    key: "deployment",
    title: "Deployment",
    width: "minmax(160px, 2fr)",
    cell: (row) => row.deployment,
    order: (row) => row.deployment,
  },
  { key: "state", title: "State", width: "120px", cell: (row) => row.state.replace("_", " ") },
  {
    key: "drifted",
    title: "Drifted",
    width: "100px",
    numeric: true,
    cell: (row) => `${row.drifted} of ${row.columns}`,
  },
  { key: "checked", title: "Checked", width: "120px", cell: (row) => <Time at={row.checked} /> },
];

export default function MonitorPage() {
  const place = usePlace();
  const rows = useCommand("monitors.list", {});
  return (
    <Page title="Monitor" flush>
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty title="Nothing to monitor yet" cli="lapwing deploy NAME@champion">
              A deployment is watched from its first prediction on.
            </Empty>
          ) : (
            <Table
              label="Monitor"
              rows={answer}
              columns={COLUMNS}
              id={(row) => row.deployment}
              onOpen={(row) => place.go(pathTo("monitors", row.deployment))}
            />
          )
        }
      </Asked>
    </Page>
  );
}
