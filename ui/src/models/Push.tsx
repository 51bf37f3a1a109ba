import { useState } from "react";
import { showFailure, useAction, useCommand } from "../api/client";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { bytes, plural } from "../shared/format";
import { Asked, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { TextField } from "../shared/TextField";
import { ended, Transfers, wasStopped } from "../shared/Transfers";
import { Button, Field, To } from "../shared/ui";
import { registries } from "./registries";

/** Sends a version with its run to a registry elsewhere. */
export function PushDialog({
  name,
  version,
  open,
  onOpenChange,
}: {
  name: string;
  version: number;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [project] = useProject();
  const [chosen, setChosen] = useState("");
  const [called, setCalled] = useState("");
  const [alias, setAlias] = useState("");
  const remotes = useCommand("remotes.list", { project }, { enabled: open });
  const push = useAction("models.push", {
    done: (to) =>
      to.new
        ? `Pushed ${plural(to.files, "file")} (${bytes(to.bytes)}) to ${to.address}`
        : `${to.address} has the same files already`,
    onDone: () => onOpenChange(false),
    // Closed meanwhile, the dialog has no place for it.
    onFailure: (report) => ended(report, "push", open ? () => undefined : showFailure),
  });
  const failure = push.isError ? toReport(push.error) : null;
  const there = registries(remotes.data ?? []);
  const remote = there.find((row) => row.called === chosen) ?? there[0];
  const send = () =>
    remote &&
    push.mutate({
      project,
      model: `${name}/${version}`,
      remote: remote.called,
      name: called.trim() || null,
      alias: alias.trim() || null,
    });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Push ${name} version ${version}`}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>{push.isPending ? "Close" : "Cancel"}</Button>
          <Button kind="primary" busy={push.isPending} disabled={!remote} onClick={send}>
            {remote ? `Push to ${remote.name}` : "Push"}
          </Button>
        </>
      }
    >
      <Asked query={remotes}>
        {() =>
          there.length === 0 ? (
            <p>
              No registry is known yet. Add an MLflow server, the Hugging Face Hub or an OCI registry under{" "}
              <To to="/remotes">Remotes</To>.
            </p>
          ) : (
            <>
              <Field label="Registry" hint={remote?.url}>
                <select
                  className="input"
                  value={remote?.called}
                  onChange={(event) => setChosen(event.target.value)}
                >
                  {there.map((row) => (
                    <option key={row.called}>{row.called}</option>
                  ))}
                </select>
              </Field>
              <TextField
                label="Name there"
                hint={
                  remote?.kind === "hugging_face"
                    ? "OWNER/NAME; without an owner it is yours. A new repository is private."
                    : "Empty takes the name it has here."
                }
                value={called}
                placeholder={name}
                onChange={setCalled}
              />
              <TextField
                label="Alias there"
                hint="Points at this version when it has arrived. Can stay empty."
                value={alias}
                placeholder="prod"
                onChange={setAlias}
              />
              <p className="quiet">
                Its run goes with it: parameters, metrics, commit and data. Pushing again sends nothing twice.
              </p>
            </>
          )
        }
      </Asked>
      {push.isPending ? <Transfers project={project} only={["model"]} /> : null}
      {failure && !wasStopped(failure) ? <Failure report={failure} /> : null}
    </Dialog>
  );
}
