import { Download, Plus, RotateCcw, Upload } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { DatasetRow, FileRow } from "../api/generated";
import { bytes, count, plural } from "../shared/format";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Transfers, usePull, usePush } from "../shared/Transfers";
import { Button, Id, Page, State, Tabs, Time, To } from "../shared/ui";
import { DATA } from "../shared/words";
import { AddData } from "./AddData";
import { Diff } from "./Versions";

const DATASETS: Column<DatasetRow>[] = [
  {
    key: "path",
    title: "Dataset",
    width: "minmax(220px, 2fr)",
    cell: (row) => (
      <span title={row.path}>
        {row.path}
        {row.is_dir ? <span className="faint">/</span> : null}
      </span>
    ),
    order: (row) => row.path,
  },
  {
    key: "state",
    title: "State",
    width: "112px",
    cell: (row) => <State tone={DATA[row.state].tone}>{DATA[row.state].word}</State>,
    order: (row) => row.state,
  },
  {
    key: "size",
    title: "Size",
    width: "84px",
    numeric: true,
    cell: (row) => <span title={`${count(row.size)} bytes`}>{bytes(row.size)}</span>,
    order: (row) => row.size,
  },
  {
    key: "files",
    title: "Files",
    width: "72px",
    numeric: true,
    cell: (row) => count(row.files),
    order: (row) => row.files,
  },
  {
    key: "stage",
    title: "Made by",
    width: "minmax(110px, 1fr)",
    cell: (row) =>
      row.stage ? (
        <To to={`/pipeline?stage=${encodeURIComponent(row.stage)}`}>{row.stage}</To>
      ) : (
        <span className="faint">you</span>
      ),
    order: (row) => row.stage,
  },
  { key: "hash", title: "Hash", width: "110px", cell: (row) => <Id id={row.hash} /> },
];

const FILES: Column<FileRow>[] = [
  {
    key: "path",
    title: "File",
    width: "minmax(240px, 1fr)",
    cell: (row) => <span title={row.path}>{row.path}</span>,
    order: (row) => row.path,
  },
  {
    key: "size",
    title: "Size",
    width: "90px",
    numeric: true,
    cell: (row) => bytes(row.size),
    order: (row) => row.size,
  },
  {
    key: "modified",
    title: "Modified",
    width: "110px",
    cell: (row) => <Time at={row.modified} />,
    order: (row) => row.modified,
  },
];

export function Datasets({ project }: { project: string }) {
  const place = usePlace();
  const [adding, setAdding] = useState(false);
  const datasets = useCommand("data.list", { project });
  const files = useCommand("data.files", { project }, { enabled: place.search.tab === "files" });
  const push = usePush();
  const pull = usePull();
  const checkout = useAction("data.checkout", {
    done: (paths) =>
      paths.length > 0 ? `Restored ${plural(paths.length, "path")}` : "Everything was in place",
  });
  const tab = place.search.tab ?? "datasets";
  const all = { project, remote: null, paths: [] };
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setAdding(true)}>
      Add data
    </Button>
  );
  return (
    <Page
      title="Data"
      note={
        datasets.data
          ? `${plural(datasets.data.length, "dataset")}, ${bytes(datasets.data.reduce((sum, row) => sum + (row.size ?? 0), 0))}`
          : null
      }
      flush
      actions={
        <>
          <Button
            kind="ghost"
            icon={RotateCcw}
            busy={checkout.isPending}
            title="Bring the tracked versions back into the folder"
            onClick={() => checkout.mutate({ project, paths: [], force: false })}
          >
            Checkout
          </Button>
          <Button kind="ghost" icon={Download} busy={pull.isPending} onClick={() => pull.mutate(all)}>
            Pull
          </Button>
          <Button kind="ghost" icon={Upload} busy={push.isPending} onClick={() => push.mutate(all)}>
            Push
          </Button>
          {add}
        </>
      }
    >
      <Transfers project={project} only={["data"]} />
      <Tabs
        label="Data"
        tabs={[
          ["datasets", "Datasets"],
          ["changes", "Changes since HEAD"],
          ["files", "Table files"],
        ]}
        current={tab}
        onChange={(next) => place.set({ tab: next === "datasets" ? null : next })}
      />
      <div className="grow" style={{ minHeight: 0 }}>
        {tab === "changes" ? <Diff project={project} from="HEAD" to={null} /> : null}
        {tab === "files" ? (
          <Asked query={files}>
            {(answer) =>
              answer.length === 0 ? (
                <Empty title="No table files" cli="lapwing data preview FILE">
                  CSV and Parquet files below the project show up here, tracked or not.
                </Empty>
              ) : (
                <Table
                  label="Table files"
                  rows={answer}
                  columns={FILES}
                  id={(row) => row.path}
                  onOpen={(row) => place.go(pathTo("data", row.path))}
                />
              )
            }
          </Asked>
        ) : null}
        {tab === "datasets" ? (
          <Asked query={datasets}>
            {(answer) =>
              answer.length === 0 ? (
                <Empty title="No datasets yet" cli='lapwing data add PATH -m "First version"' action={add}>
                  Add a file or a folder: each version keeps its content, and a commit brings it back.
                </Empty>
              ) : (
                <Table
                  label="Datasets"
                  rows={answer}
                  columns={DATASETS}
                  id={(row) => row.path}
                  onOpen={(row) => place.go(pathTo("data", row.path))}
                />
              )
            }
          </Asked>
        ) : null}
      </div>
      <AddData project={project} open={adding} onOpenChange={setAdding} />
    </Page>
  );
}
