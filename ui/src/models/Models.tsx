import { Download } from "lucide-react";
import { useState } from "react";
import { useCommand } from "../api/client";
import type { ModelRow } from "../api/generated";
import { plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Transfers } from "../shared/Transfers";
import { Button, Page, Tag, Time } from "../shared/ui";
import { RegistryDialog } from "./Registry";
import { MOVING } from "./registries";

const COLUMNS: Column<ModelRow>[] = [
  {
    key: "name",
    title: "Model",
    width: "minmax(160px, 1.2fr)",
    cell: (row) => <span title={row.name}>{row.name}</span>,
    order: (row) => row.name,
  },
  {
    key: "latest",
    title: "Latest",
    width: "64px",
    cell: (row) => (row.latest === null ? <span className="faint">–</span> : `v${row.latest}`),
    order: (row) => row.latest,
  },
  {
    key: "aliases",
    title: "Aliases",
    width: "minmax(160px, 1.2fr)",
    cell: (row) => <AliasesOf row={row} />,
  },
  {
    key: "description",
    title: "Description",
    width: "minmax(120px, 2fr)",
    cell: (row) => (
      <span className="quiet" title={row.description}>
        {row.description || "–"}
      </span>
    ),
  },
  {
    key: "versions",
    title: "Versions",
    width: "72px",
    numeric: true,
    cell: (row) => row.versions,
    order: (row) => row.versions,
  },
  {
    key: "updated",
    title: "Updated",
    width: "96px",
    cell: (row) => <Time at={row.updated} />,
    order: (row) => row.updated,
  },
];

function AliasesOf({ row }: { row: ModelRow }) {
  const pairs = Object.entries(row.aliases).sort((a, b) => b[1] - a[1]);
  if (pairs.length === 0) return <span className="faint">–</span>;
  return (
    <span className="line" title={pairs.map(([alias, version]) => `${alias} → v${version}`).join("\n")}>
      {pairs.map(([alias, version]) => (
        <Tag key={alias} tone={alias === "champion" ? "good" : undefined}>
          {`${alias} v${version}`}
        </Tag>
      ))}
    </span>
  );
}

export function Models() {
  const place = usePlace();
  const [project] = useProject();
  const rows = useCommand("models.list", {});
  const [browsing, setBrowsing] = useState(false);
  const actions = (
    <Button kind="ghost" icon={Download} onClick={() => setBrowsing(true)}>
      From a registry
    </Button>
  );
  return (
    <Page title="Models" note={rows.data ? plural(rows.data.length, "model") : null} flush actions={actions}>
      <Transfers project={project} only={MOVING} />
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty
              title="No models yet"
              cli="lapwing models register runs:/ID/model --name NAME"
              action={
                <Button kind="primary" onClick={() => place.go("/runs")}>
                  Open runs
                </Button>
              }
            >
              A finished run logs a model; register it to give it a name and versions.
            </Empty>
          ) : (
            <Table
              label="Models"
              rows={answer}
              columns={COLUMNS}
              id={(row) => row.name}
              onOpen={(row) => place.go(pathTo("models", row.name))}
            />
          )
        }
      </Asked>
      <RegistryDialog open={browsing} onOpenChange={setBrowsing} />
    </Page>
  );
}
