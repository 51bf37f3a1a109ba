import { Rocket, Tag as TagIcon } from "lucide-react";
import { useMemo, useState } from "react";
import { useCommand } from "../api/client";
import type { ModelDetail, VersionRow } from "../api/generated";
import { bytes, figure, plural } from "../shared/format";
import { LineageGraph } from "../shared/lineage/Lineage";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Transfers } from "../shared/Transfers";
import { Button, Page, Tabs, Time, To } from "../shared/ui";
import { Aliases } from "./Aliases";
import { DeployDialog } from "./Deploy";
import { keyMetrics } from "./metrics";
import { MOVING } from "./registries";
import { SetAlias } from "./SetAlias";
import "./models.css";

const TABS: [string, string][] = [
  ["versions", "Versions"],
  ["lineage", "Lineage"],
];

function columnsOf(versions: readonly VersionRow[]): Column<VersionRow>[] {
  return [
    {
      key: "version",
      title: "Version",
      width: "64px",
      cell: (row) => <strong>{`v${row.version}`}</strong>,
      order: (row) => row.version,
    },
    {
      key: "aliases",
      title: "Aliases",
      width: "minmax(110px, 1fr)",
      cell: (row) => <Aliases aliases={row.aliases} />,
    },
    {
      key: "served",
      title: "Served by",
      width: "minmax(110px, 1fr)",
      cell: (row) =>
        row.deployments.length === 0 ? (
          <span className="faint">–</span>
        ) : (
          row.deployments.map((name, index) => (
            <span key={name}>
              {index > 0 ? ", " : ""}
              <To to={pathTo("deployments", name)}>{name}</To>
            </span>
          ))
        ),
    },
    ...keyMetrics(versions).map(
      (key): Column<VersionRow> => ({
        key: `metrics.${key}`,
        title: key,
        width: "80px",
        numeric: true,
        cell: (row) => <span title={String(row.metrics[key] ?? "")}>{figure(row.metrics[key])}</span>,
        order: (row) => row.metrics[key] ?? null,
      }),
    ),
    {
      key: "run",
      title: "Run",
      width: "minmax(120px, 1fr)",
      cell: (row) =>
        row.run_id ? (
          <To to={pathTo("runs", row.run_id)}>{row.run_name ?? row.run_id.slice(0, 8)}</To>
        ) : (
          <span className="faint">–</span>
        ),
      order: (row) => row.run_name,
    },
    {
      key: "commit",
      title: "Commit",
      width: "72px",
      cell: (row) => (row.commit ? <code>{row.commit.slice(0, 8)}</code> : <span className="faint">–</span>),
    },
    {
      key: "size",
      title: "Size",
      width: "72px",
      numeric: true,
      cell: (row) => bytes(row.size),
      order: (row) => row.size,
    },
    {
      key: "created",
      title: "Created",
      width: "88px",
      cell: (row) => <Time at={row.created} />,
      order: (row) => row.created,
    },
  ];
}

export function Model({ name }: { name: string }) {
  const place = usePlace();
  const [project] = useProject();
  const detail = useCommand("models.get", { name });
  const [naming, setNaming] = useState(false);
  const [deploying, setDeploying] = useState(false);
  const tab = place.search.tab ?? "versions";
  const chosen = detail.data ? mainVersion(detail.data) : null;
  const uri = detail.data?.row.aliases.champion ? `${name}@champion` : `models:/${name}/${chosen}`;
  return (
    <Page
      title={name}
      crumbs={[["Models", "/models"]]}
      note={
        detail.data ? detail.data.row.description || plural(detail.data.versions.length, "version") : null
      }
      flush
      actions={
        chosen === null ? null : (
          <>
            <Button kind="ghost" icon={TagIcon} onClick={() => setNaming(true)}>
              Set alias
            </Button>
            <Button kind="primary" icon={Rocket} onClick={() => setDeploying(true)}>
              Deploy
            </Button>
          </>
        )
      }
    >
      <Transfers project={project} only={MOVING} />
      <Tabs
        label="Model"
        tabs={TABS}
        current={tab}
        onChange={(next) => place.set({ tab: next === "versions" ? null : next })}
      />
      <div className="grow" style={{ minHeight: 0 }}>
        <Asked query={detail}>
          {(model) => (tab === "lineage" ? <ModelLineage model={model} /> : <Versions model={model} />)}
        </Asked>
      </div>
      {detail.data && chosen !== null ? (
        <>
          <SetAlias
            key={`alias-${chosen}`}
            model={detail.data}
            version={detail.data.row.latest ?? chosen}
            open={naming}
            onOpenChange={setNaming}
          />
          <DeployDialog model={uri} name={name} open={deploying} onOpenChange={setDeploying} />
        </>
      ) : null}
    </Page>
  );
}

/** What Deploy and Lineage mean without saying a version: the champion, else the newest. */
export function mainVersion({ row, versions }: ModelDetail): number | null {
  return row.aliases.champion ?? row.latest ?? versions[0]?.version ?? null;
}

function Versions({ model }: { model: ModelDetail }) {
  const place = usePlace();
  const columns = useMemo(() => columnsOf(model.versions), [model.versions]);
  if (model.versions.length === 0)
    return (
      <Empty title="No versions yet" cli={`lapwing models register runs:/ID/model --name ${model.row.name}`}>
        Register a model that a run logged: it becomes version 1.
      </Empty>
    );
  return (
    <Table
      label="Versions"
      rows={model.versions}
      columns={columns}
      id={(row) => String(row.version)}
      onOpen={(row) => place.go(pathTo("models", model.row.name, row.version))}
    />
  );
}

function ModelLineage({ model }: { model: ModelDetail }) {
  const version = mainVersion(model);
  if (version === null) return <Empty title="No versions yet">Lineage begins with the first version.</Empty>;
  return <LineageGraph id={`${model.row.name}/${version}`} />;
}
