import { Download, KeyRound, PlugZap, Plus, RefreshCw, Trash2, Upload } from "lucide-react";
import { useState } from "react";
import { call, useAction, useCommand } from "../api/client";
import type { RemoteHealth, RemoteKind, RemoteRow, Report } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { Asked, Empty } from "../shared/states";
import { useProject } from "../shared/stored";
import { type Column, Table } from "../shared/Table";
import { ended, Transfers, usePull, usePush } from "../shared/Transfers";
import { Button, CopyButton, IconButton, Page, Tag } from "../shared/ui";
import { AddRemote } from "./AddRemote";
import { Health, Problem } from "./Health";
import { KINDS, originWords, synced, takesSecret } from "./kinds";
import { SignInDialog } from "./SignInDialog";

/** Kinds that take a user and a secret from us; the others use the keys that are here. Storage depends on its address. */
const SIGNED: readonly RemoteKind[] = ["git", "mlflow", "oci", "hugging_face", "ray", "airflow", "kubeflow"];

/** The tries of this visit, by name, and the newest one where it failed. */
function useTests(project: string) {
  const [tests, setTests] = useState<Record<string, RemoteHealth | "asking">>({});
  const [tried, setTried] = useState<{ name: string; problem: Report } | null>(null);
  const keep = (name: string, health: RemoteHealth | "asking") => {
    setTests((known) => ({ ...known, [name]: health }));
    if (health === "asking") setTried(null);
    else if (health.problem) setTried({ name, problem: health.problem });
  };
  const test = (name: string) => {
    keep(name, "asking");
    call("remotes.test", { project, name }).then(
      (health) => keep(name, health),
      (error) => keep(name, { server: null, user: null, millis: 0, problem: toReport(error) }),
    );
  };
  const show = (name: string, problem: Report) => setTried({ name, problem });
  return { tests, tried, test, show, forget: () => setTried(null) };
}

export default function RemotesPage() {
  const [stored] = useProject();
  const project = stored ?? "";
  const [adding, setAdding] = useState(false);
  const [signingIn, setSigningIn] = useState<string | null>(null);
  const [removing, setRemoving] = useState<RemoteRow | null>(null);
  const { tests, tried, test, show, forget } = useTests(project);
  const remotes = useCommand("remotes.list", { project });
  const push = usePush();
  const pull = usePull();
  const sync = useAction("remotes.sync", {
    done: synced,
    onFailure: (report) => ended(report, "sync"),
  });
  const remove = useAction("remotes.remove", {
    done: (_, input) => `Removed ${input.name}`,
    onDone: () => setRemoving(null),
  });
  const columns: Column<RemoteRow>[] = [
    {
      key: "name",
      title: "Remote",
      width: "minmax(96px, 1fr)",
      cell: (row) => (
        <span className="line" title={row.called}>
          <span className="cut">{row.name}</span>
          {row.default ? <Tag>default</Tag> : null}
        </span>
      ),
      order: (row) => row.name,
    },
    {
      key: "kind",
      title: "Kind",
      width: "minmax(104px, 132px)",
      cell: (row) => <span title={KINDS[row.kind]}>{KINDS[row.kind]}</span>,
      order: (row) => KINDS[row.kind],
    },
    {
      key: "url",
      title: "Address",
      width: "minmax(100px, 2fr)",
      cell: (row) => (
        <span className="id">
          <code title={row.url}>{row.url}</code>
          <CopyButton text={row.url} label={`Copy ${row.url}`} />
        </span>
      ),
      order: (row) => row.url,
    },
    {
      key: "origin",
      title: "Named by",
      width: "88px",
      spare: true,
      cell: (row) => (
        <span className="quiet" title={row.origin.by === "found" ? row.origin.file : undefined}>
          {originWords(row.origin)}
        </span>
      ),
    },
    {
      key: "health",
      title: "Connection",
      width: "minmax(104px, 2fr)",
      cell: (row) => <Health health={tests[row.called]} onOpen={(problem) => show(row.called, problem)} />,
    },
    {
      key: "actions",
      title: "",
      width: "144px",
      cell: (row) => (
        <span className="line" style={{ justifyContent: "flex-end", gap: 0 }}>
          {row.kind === "storage" && row.supported ? (
            <>
              <IconButton
                icon={Download}
                label={`Pull from ${row.name}`}
                onClick={() => pull.mutate({ project, remote: row.name, paths: [] })}
              />
              <IconButton
                icon={Upload}
                label={`Push to ${row.name}`}
                onClick={() => push.mutate({ project, remote: row.name, paths: [] })}
              />
            </>
          ) : null}
          {SIGNED.includes(row.kind) || (row.kind === "storage" && takesSecret(row.url)) ? (
            <IconButton
              icon={KeyRound}
              label={`Sign in to ${row.name}`}
              onClick={() => setSigningIn(row.called)}
            />
          ) : null}
          {row.kind === "mlflow" ? (
            <IconButton
              icon={RefreshCw}
              label={`Sync runs and models with ${row.name}`}
              disabled={sync.isPending}
              onClick={() => sync.mutate({ project, name: row.called, experiments: [] })}
            />
          ) : null}
          <IconButton icon={PlugZap} label={`Test ${row.name}`} onClick={() => test(row.called)} />
          <IconButton
            icon={Trash2}
            label={`Remove ${row.name}`}
            disabled={row.origin.by === "found"}
            onClick={() => setRemoving(row)}
          />
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
    <Page title="Remotes" note="storage, registries and machines elsewhere" flush actions={add}>
      <Transfers project={project} />
      {tried ? <Problem name={tried.name} problem={tried.problem} onClose={forget} /> : null}
      <Asked query={remotes}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No remotes yet" cli="lapwing remotes add store /mnt/share/dvc" action={add}>
              A remote is a place outside this machine: a folder or bucket for the data, in DVC’s own layout,
              or a server that models are pushed to.
            </Empty>
          ) : (
            <Table label="Remotes" rows={rows} columns={columns} id={({ called }) => called} />
          )
        }
      </Asked>
      <AddRemote
        project={project}
        first={remotes.data?.every((row) => row.kind !== "storage") ?? true}
        open={adding}
        onOpenChange={setAdding}
      />
      <SignInDialog project={project} name={signingIn} onClose={() => setSigningIn(null)} />
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
              onClick={() => removing && remove.mutate({ project, name: removing.called })}
            >
              {`Remove ${removing?.name ?? ""}`}
            </Button>
          </>
        }
      >
        <p>The address and its credential are forgotten. What lies there stays.</p>
      </Dialog>
    </Page>
  );
}
