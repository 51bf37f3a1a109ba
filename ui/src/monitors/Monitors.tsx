import { useCommand } from "../api/client";
import type { MonitorRow } from "../api/generated";
import { count, plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Button, Page, State, Time } from "../shared/ui";
import { STATE } from "./words";

const COLUMNS: Column<MonitorRow>[] = [
  {
    key: "deployment",
    title: "Deployment",
    width: "minmax(120px, 2fr)",
    cell: (row) => <span title={row.deployment}>{row.deployment}</span>,
    order: (row) => row.deployment,
  },
  {
    key: "state",
    title: "State",
    width: "104px",
    cell: (row) => <State tone={STATE[row.state].tone}>{STATE[row.state].word}</State>,
    order: (row) => row.state,
  },
  {
    key: "performance",
    title: "Performance",
    width: "minmax(90px, 1fr)",
    cell: (row) => row.performance ?? <span className="faint">no labels yet</span>,
  },
  {
    key: "drifted",
    title: "Drifted",
    width: "80px",
    numeric: true,
    cell: (row) => (row.columns === 0 ? "–" : `${row.drifted} of ${row.columns}`),
    order: (row) => (row.columns === 0 ? null : row.drifted),
  },
  {
    key: "rows",
    title: "Predictions",
    width: "84px",
    numeric: true,
    cell: (row) => count(row.rows),
    order: (row) => row.rows,
  },
  {
    key: "labelled",
    title: "Labelled",
    width: "72px",
    numeric: true,
    cell: (row) => count(row.labelled),
    order: (row) => row.labelled,
  },
  {
    key: "alerts",
    title: "Open alerts",
    width: "80px",
    numeric: true,
    cell: (row) => <span className={row.open_alerts > 0 ? "state-stale" : "faint"}>{row.open_alerts}</span>,
    order: (row) => row.open_alerts,
  },
  {
    key: "checked",
    title: "Checked",
    width: "88px",
    cell: (row) => <Time at={row.checked} />,
    order: (row) => row.checked,
  },
];

export function Monitors() {
  const place = usePlace();
  const rows = useCommand("monitors.list", {}, { every: 10_000 });
  const open = rows.data?.reduce((sum, row) => sum + row.open_alerts, 0) ?? 0;
  return (
    <Page title="Monitor" note={open > 0 ? plural(open, "open alert") : null} flush>
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty
              title="Nothing to monitor yet"
              cli="lapwing deploy NAME@champion --name NAME"
              action={
                <Button kind="primary" onClick={() => place.go("/deployments")}>
                  Open deployments
                </Button>
              }
            >
              Every deployment is watched from its first prediction on, against the data that its model was
              trained on.
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
