import { Download } from "lucide-react";
import { useEffect, useState } from "react";
import { showFailure, useAction, useCommand } from "../api/client";
import type { RemoteModelRow } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { Asked, Failure } from "../shared/states";
import { useProject } from "../shared/stored";
import { ended, Transfers, wasStopped } from "../shared/Transfers";
import { Button, Field, Tag, To } from "../shared/ui";
import { registries, versionWord } from "./registries";

/** A registry elsewhere is asked once typing pauses. */
const PAUSE_MS = 250;

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** Looks through a registry elsewhere, and brings a model from there. */
export function RegistryDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [project] = useProject();
  const [chosen, setChosen] = useState("");
  const [text, setText] = useState("");
  const asked = useSettled(text.trim());
  const remotes = useCommand("remotes.list", { project }, { enabled: open });
  const there = registries(remotes.data ?? []);
  const remote = there.find((row) => row.called === chosen) ?? there[0];
  const pull = useAction("models.pull", {
    done: (got) =>
      got.new
        ? `Pulled ${got.name} version ${got.version}`
        : `${got.name} version ${got.version} was here already`,
    // Closed meanwhile, the dialog has no place for it.
    onFailure: (report) => ended(report, "pull", open ? () => undefined : showFailure),
  });
  const failure = pull.isError ? toReport(pull.error) : null;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Models in a registry"
      wide
      actions={<Button onClick={() => onOpenChange(false)}>Close</Button>}
    >
      <Asked query={remotes}>
        {() =>
          remote ? (
            <>
              <span className="line">
                <Field label="Registry">
                  <select
                    className="input"
                    value={remote.called}
                    onChange={(event) => setChosen(event.target.value)}
                  >
                    {there.map((row) => (
                      <option key={row.called}>{row.called}</option>
                    ))}
                  </select>
                </Field>
                <Field label="Name">
                  <input
                    className="input"
                    type="search"
                    value={text}
                    placeholder="part of a name"
                    onChange={(event) => setText(event.target.value)}
                  />
                </Field>
              </span>
              <Found
                project={project}
                remote={remote.called}
                text={asked}
                pulling={pull.isPending ? pull.variables.address : null}
                onPull={(address) => pull.mutate({ project, address, name: null, alias: null })}
              />
              {pull.isPending ? <Transfers project={project} only={["model"]} /> : null}
              {failure && !wasStopped(failure) ? <Failure report={failure} /> : null}
            </>
          ) : (
            <p>
              No registry is known yet. Add an MLflow server, the Hugging Face Hub or an OCI registry under{" "}
              <To to="/remotes">Remotes</To>.
            </p>
          )
        }
      </Asked>
    </Dialog>
  );
}

function Found({
  project,
  remote,
  text,
  pulling,
  onPull,
}: {
  project: string | null;
  remote: string;
  text: string;
  /** The address of what is on its way. */
  pulling: string | null;
  onPull: (address: string) => void;
}) {
  const found = useCommand("models.search_remote", { project, remote, text }, { keep: true });
  return (
    <Asked query={found}>
      {({ rows, more }) =>
        rows.length === 0 ? (
          <p className="quiet">
            {text ? `Nothing with “${text}” in its name there.` : "It has no models yet."}
          </p>
        ) : (
          <ul className="found-models">
            {rows.map((row) => (
              <FoundModel key={row.address} row={row} busy={pulling === row.address} onPull={onPull} />
            ))}
            {more ? (
              <li className="found-more quiet">These are the first. Write part of a name to find others.</li>
            ) : null}
          </ul>
        )
      }
    </Asked>
  );
}

function FoundModel({
  row,
  busy,
  onPull,
}: {
  row: RemoteModelRow;
  busy: boolean;
  onPull: (address: string) => void;
}) {
  return (
    <li className="found-model">
      <span className="grow">
        <span className="line">
          <strong title={row.name}>{row.name}</strong>
          {row.latest === null ? (
            <span className="faint">no versions</span>
          ) : (
            <span>{versionWord(row.latest)}</span>
          )}
          {Object.entries(row.aliases).map(([alias, version]) => (
            <Tag key={alias}>{`${alias} → ${versionWord(version)}`}</Tag>
          ))}
        </span>
        {row.description ? <span className="quiet">{row.description}</span> : null}
      </span>
      <Button icon={Download} busy={busy} disabled={row.latest === null} onClick={() => onPull(row.address)}>
        Pull newest
      </Button>
    </li>
  );
}
