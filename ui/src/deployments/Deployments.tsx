import { useCommand } from "../api/client";
import type { DeploymentRow } from "../api/generated";
import { count, milliseconds, plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Button, CopyButton, Page, State, Tag } from "../shared/ui";
import { STATE, servedName } from "./words";

const COLUMNS: Column<DeploymentRow>[] = [
  {
    key: "name",
    title: "Deployment",
    width: "minmax(104px, 1.4fr)",
    cell: (row) => (
      <span className="line">
        <span className="cut" title={row.name}>
          {row.name}
        </span>
        {row.open_alerts > 0 ? (
          <span title={plural(row.open_alerts, "open alert")}>
            <Tag tone="stale">{row.open_alerts}</Tag>
          </span>
        ) : null}
      </span>
    ),
    order: (row) => row.name,
  },
  {
    key: "state",
    title: "State",
    width: "72px",
    cell: (row) => (
      <span title={row.why ?? undefined}>
        <State tone={STATE[row.state].tone}>{STATE[row.state].word}</State>
      </span>
    ),
    order: (row) => row.state,
  },
  {
    key: "url",
    title: "Address",
    width: "minmax(104px, 150px)",
    cell: (row) =>
      row.url ? (
        <span className="id">
          <code title={row.url}>{row.url.replace(/^https?:\/\//, "")}</code>
          <CopyButton text={row.url} label={`Copy ${row.url}`} />
        </span>
      ) : (
        <span className="faint">–</span>
      ),
  },
  {
    key: "model",
    title: "Model",
    width: "minmax(96px, 1.4fr)",
    cell: (row) => <span title={row.model}>{servedName(row)}</span>,
    order: (row) => row.model,
  },
  {
    key: "revision",
    title: "Revision",
    width: "80px",
    hint: "The revision that gets the traffic, and its runtime",
    cell: (row) => (
      <span>
        {row.revision ?? "–"} <span className="faint">{row.runtime}</span>
      </span>
    ),
    order: (row) => row.revision,
  },
  {
    key: "requests",
    title: "Requests",
    width: "60px",
    numeric: true,
    cell: (row) => count(row.requests),
    order: (row) => row.requests,
  },
  {
    key: "errors",
    title: "Errors",
    width: "48px",
    numeric: true,
    cell: (row) => <span className={row.errors > 0 ? "state-failed" : "faint"}>{count(row.errors)}</span>,
    order: (row) => row.errors,
  },
  {
    key: "p95",
    title: "p50 / p95",
    width: "104px",
    numeric: true,
    hint: "Half, and 95 of 100, of the last hour's requests took less",
    cell: (row) =>
      row.p95 === null ? (
        <span className="faint">–</span>
      ) : (
        `${milliseconds(row.p50).replace(/ ms$/, "")} / ${milliseconds(row.p95)}`
      ),
    order: (row) => row.p95,
  },
];

export function Deployments() {
  const place = usePlace();
  const rows = useCommand("deployments.list", {}, { every: 5000 });
  const running = rows.data?.filter(({ state }) => state === "running").length ?? 0;
  return (
    <Page
      title="Deployments"
      note={rows.data && rows.data.length > 0 ? `${running} of ${rows.data.length} running` : null}
      flush
    >
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty
              title="No deployments yet"
              cli="lapwing deploy NAME@champion --name NAME"
              action={
                <Button kind="primary" onClick={() => place.go("/models")}>
                  Choose a model
                </Button>
              }
            >
              Deploy on a model’s page gives it an address on this machine, logs every prediction, and watches
              it from the first one on.
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
