import { FolderSearch, RotateCcw, Save } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import { host } from "../host";
import { Dialog } from "../shared/Dialog";
import { bytes, count } from "../shared/format";
import { usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { Button, Facts, Id, Page, State, Tabs, To } from "../shared/ui";
import { DATA } from "../shared/words";
import { AddData } from "./AddData";
import { Preview } from "./Preview";
import { Profile } from "./Profile";
import { Versions } from "./Versions";

function Checkout({
  project,
  path,
  open,
  onOpenChange,
}: {
  project: string;
  path: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const checkout = useAction("data.checkout", {
    done: `Restored ${path}`,
    onDone: () => onOpenChange(false),
  });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Restore ${path}?`}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="danger"
            busy={checkout.isPending}
            onClick={() => checkout.mutate({ project, paths: [path], force: true })}
          >
            Restore and overwrite
          </Button>
        </>
      }
    >
      <p>
        What changed in the folder since the tracked version is overwritten, also where its content is kept
        nowhere else.
      </p>
    </Dialog>
  );
}

export function Dataset({ project, path }: { project: string; path: string }) {
  const place = usePlace();
  const [saving, setSaving] = useState(false);
  const [restoring, setRestoring] = useState(false);
  const datasets = useCommand("data.list", { project });
  const files = useCommand("data.files", { project });
  const row = datasets.data?.find((known) => known.path === path);
  const inside = (files.data ?? []).filter((file) => file.path === path || file.path.startsWith(`${path}/`));
  const file = place.search.file ?? inside[0]?.path ?? null;
  const tabs: [string, string][] = [
    ["preview", "Preview"],
    ["profile", "Profile"],
    ...(row
      ? ([
          ["versions", "Versions"],
          ["about", "About"],
        ] as [string, string][])
      : []),
  ];
  const tab = place.search.tab ?? "preview";
  const table = tab === "preview" || tab === "profile";
  return (
    <Page
      title={path}
      crumbs={[["Data", "/data"]]}
      note={row ? <State tone={DATA[row.state].tone}>{DATA[row.state].word}</State> : null}
      flush
      actions={
        <>
          <Button kind="ghost" icon={FolderSearch} onClick={() => void host().reveal(`${project}/${path}`)}>
            Reveal
          </Button>
          {row && row.state !== "clean" ? (
            <Button icon={RotateCcw} onClick={() => setRestoring(true)}>
              Restore
            </Button>
          ) : null}
          {row && row.stage === null && (row.state === "modified" || row.state === "new") ? (
            <Button kind="primary" icon={Save} onClick={() => setSaving(true)}>
              Save version
            </Button>
          ) : null}
        </>
      }
    >
      <div className="tab-row">
        <Tabs
          label="Dataset"
          tabs={tabs}
          current={tab}
          onChange={(next) => place.set({ tab: next === "preview" ? null : next })}
        />
        {table && inside.length > 1 && file ? (
          <select
            className="select file-select"
            aria-label="File"
            value={file}
            onChange={(event) => place.set({ file: event.target.value })}
          >
            {inside.map((known) => (
              <option key={known.path} value={known.path}>
                {known.path.slice(path.length + 1)} ({bytes(known.size)})
              </option>
            ))}
          </select>
        ) : null}
      </div>
      <div className="grow" style={{ minHeight: 0 }}>
        {table && file ? (
          tab === "preview" ? (
            <Preview project={project} path={file} />
          ) : (
            <Profile project={project} path={file} />
          )
        ) : null}
        {table && !file ? (
          <Asked query={files}>
            {() => (
              <Empty
                title="Nothing to preview"
                cli={row?.state === "not_in_cache" ? `lapwing data pull ${path}` : undefined}
              >
                {row?.state === "not_in_cache" || row?.state === "deleted"
                  ? "Its content is not in the folder. Pull it from a remote, or restore it."
                  : "Previews are for CSV and Parquet files."}
              </Empty>
            )}
          </Asked>
        ) : null}
        {tab === "versions" ? <Versions project={project} path={path} /> : null}
        {tab === "about" && row ? (
          <div className="pad">
            <Facts
              rows={[
                ["Path", <code key="p">{row.path}</code>],
                ["State", DATA[row.state].word],
                ["Tracked by", <code key="t">{row.tracked_by}</code>],
                [
                  "Made by",
                  row.stage ? (
                    <To
                      key="s"
                      to={`/pipeline?stage=${encodeURIComponent(row.stage)}`}
                    >{`stage ${row.stage}`}</To>
                  ) : (
                    "you"
                  ),
                ],
                ["Hash", <Id key="h" id={row.hash} full />],
                ["Size", `${bytes(row.size)} (${count(row.size)} bytes)`],
                ["Files", count(row.files)],
              ]}
            />
          </div>
        ) : null}
      </div>
      <AddData project={project} paths={[path]} open={saving} onOpenChange={setSaving} />
      <Checkout project={project} path={path} open={restoring} onOpenChange={setRestoring} />
    </Page>
  );
}
