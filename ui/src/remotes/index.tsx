import { FolderOpen, Plus } from "lucide-react";
import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { RemoteRow } from "../api/generated";
import { host, toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { bytes, plural } from "../shared/format";
import { Asked, Empty, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { Button, CopyButton, Field, Page, State, Tag } from "../shared/ui";

function AddRemote({
  project,
  first,
  open,
  onOpenChange,
}: {
  project: string;
  first: boolean;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [usual, setUsual] = useState(first);
  const add = useAction("remotes.add", {
    quiet: true,
    done: (_, input) => `Added ${input.name}`,
    onDone: () => {
      setName("");
      setUrl("");
      onOpenChange(false);
    },
  });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Add a remote"
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            busy={add.isPending}
            disabled={name.trim() === "" || url.trim() === ""}
            onClick={() =>
              add.mutate({ project, name: name.trim(), url: url.trim(), default: usual || first })
            }
          >
            Add
          </Button>
        </>
      }
    >
      <Field label="Name">
        <input
          className="input"
          value={name}
          placeholder="store"
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field
        label="Location"
        hint="A folder works now: a disk, a share, a synced folder. Other kinds are kept in the project and listed."
      >
        <span className="line">
          <input
            className="input mono"
            value={url}
            placeholder="/mnt/share/dvc"
            onChange={(event) => setUrl(event.target.value)}
          />
          <Button
            icon={FolderOpen}
            onClick={() =>
              void host()
                .pickFolder("Folder of the remote")
                .then((path) => path && setUrl(path))
            }
          >
            Choose…
          </Button>
        </span>
      </Field>
      <label className="line">
        <input
          type="checkbox"
          checked={usual || first}
          disabled={first}
          onChange={(event) => setUsual(event.target.checked)}
        />
        <span>Use it where none is named</span>
      </label>
      {add.isError ? <Failure report={toReport(add.error)} /> : null}
    </Dialog>
  );
}

export default function RemotesPage() {
  const [stored] = useProject();
  const project = stored ?? "";
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<RemoteRow | null>(null);
  const remotes = useCommand("remotes.list", { project });
  const push = useAction("data.push", {
    done: (to) =>
      `Pushed ${plural(to.files, "file")} (${bytes(to.bytes)}) to ${to.remote}, ${plural(to.skipped, "file")} already there`,
  });
  const pull = useAction("data.pull", {
    done: (from) => `Pulled ${plural(from.files, "file")} (${bytes(from.bytes)}) from ${from.remote}`,
  });
  const remove = useAction("remotes.remove", {
    done: (_, input) => `Removed ${input.name}`,
    onDone: () => setRemoving(null),
  });
  const columns: Column<RemoteRow>[] = [
    {
      key: "name",
      title: "Remote",
      width: "minmax(120px, 1fr)",
      cell: (row) => (
        <span className="line">
          {row.name}
          {row.default ? <Tag>default</Tag> : null}
        </span>
      ),
      order: (row) => row.name,
    },
    {
      key: "url",
      title: "Location",
      width: "minmax(220px, 3fr)",
      cell: (row) => (
        <span className="id">
          <code title={row.url}>{row.url}</code>
          <CopyButton text={row.url} label={`Copy ${row.url}`} />
        </span>
      ),
      order: (row) => row.url,
    },
    {
      key: "state",
      title: "State",
      width: "130px",
      cell: (row) =>
        row.supported ? <State tone="good">works here</State> : <State tone="idle">listed only</State>,
    },
    {
      key: "actions",
      title: "",
      width: "216px",
      cell: (row) => (
        <span className="line" style={{ justifyContent: "flex-end" }}>
          <Button
            kind="ghost"
            disabled={!row.supported}
            busy={pull.isPending}
            onClick={() => pull.mutate({ project, remote: row.name, paths: [] })}
          >
            Pull
          </Button>
          <Button
            kind="ghost"
            disabled={!row.supported}
            busy={push.isPending}
            onClick={() => push.mutate({ project, remote: row.name, paths: [] })}
          >
            Push
          </Button>
          <Button kind="ghost" onClick={() => setRemoving(row)}>
            Remove
          </Button>
        </span>
      ),
    },
  ];
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setAdding(true)}>
      Add remote
    </Button>
  );
  return (
    <Page title="Remotes" note="where this project’s data is pushed and pulled" flush actions={add}>
      <Asked query={remotes}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No remotes yet" cli="lapwing remotes add store /mnt/share/dvc" action={add}>
              A remote keeps the data outside this machine, in DVC’s own layout: colleagues can pull it with
              dvc as well.
            </Empty>
          ) : (
            <Table label="Remotes" rows={rows} columns={columns} id={({ name }) => name} />
          )
        }
      </Asked>
      <AddRemote
        project={project}
        first={remotes.data?.length === 0}
        open={adding}
        onOpenChange={setAdding}
      />
      <Dialog
        open={removing !== null}
        onOpenChange={(open) => !open && setRemoving(null)}
        title={`Remove ${removing?.name ?? ""}?`}
        actions={
          <>
            <Button onClick={() => setRemoving(null)}>Cancel</Button>
            <Button
              kind="danger"
              busy={remove.isPending}
              onClick={() => removing && remove.mutate({ project, name: removing.name })}
            >
              {`Remove ${removing?.name ?? ""}`}
            </Button>
          </>
        }
      >
        <p>The project forgets this location. What was pushed there stays.</p>
      </Dialog>
    </Page>
  );
}
