import { useState } from "react";
import { useAction } from "../api/client";
import type { ModelDetail } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { Failure } from "../shared/states";
import { Button, Field } from "../shared/ui";
import { aliasFault, aliasSentence } from "./metrics";

/** Names a version. An alias that stands elsewhere moves, and the dialog says from where. */
export function SetAlias({
  model,
  version,
  open,
  onOpenChange,
}: {
  model: ModelDetail;
  version: number;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const name = model.row.name;
  const [alias, setAlias] = useState("champion");
  const set = useAction("models.set_alias", {
    quiet: true,
    done: `${name}@${alias} is now version ${version}`,
    onDone: () => onOpenChange(false),
  });
  const fault = aliasFault(alias);
  const before = model.row.aliases[alias];
  const served = model.versions.find((row) => row.version === before)?.deployments ?? [];
  const ready = alias !== "" && fault === null && before !== version;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Set an alias of ${name} version ${version}`}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button kind="primary" type="submit" form="set-alias" busy={set.isPending} disabled={!ready}>
            {before === undefined || before === version
              ? `Set ${alias}`
              : `Move ${alias} from v${before} to v${version}`}
          </Button>
        </>
      }
    >
      <form
        id="set-alias"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) set.mutate({ name, alias, version });
        }}
      >
        <Field label="Alias" hint={fault ?? "Deploy and clients name it as NAME@alias"}>
          <input
            className="input mono"
            list="known-aliases"
            value={alias}
            aria-invalid={fault !== null}
            onChange={(event) => setAlias(event.target.value.trim())}
          />
        </Field>
      </form>
      <datalist id="known-aliases">
        {Object.keys({ champion: 0, challenger: 0, ...model.row.aliases }).map((known) => (
          <option key={known} value={known} />
        ))}
      </datalist>
      {alias !== "" && fault === null ? (
        <p className="quiet">{aliasSentence(alias, version, model.row.aliases, served)}</p>
      ) : null}
      {set.isError ? <Failure report={toReport(set.error)} /> : null}
    </Dialog>
  );
}

export function RemoveAlias({
  name,
  alias,
  version,
  onClose,
}: {
  name: string;
  alias: string | null;
  version: number;
  onClose: () => void;
}) {
  const remove = useAction("models.set_alias", { done: `Removed ${name}@${alias}`, onDone: onClose });
  return (
    <Dialog
      open={alias !== null}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={`Remove the alias ${alias} of ${name}?`}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="danger"
            busy={remove.isPending}
            onClick={() => {
              if (alias) remove.mutate({ name, alias, version: null });
            }}
          >
            {`Remove ${alias}`}
          </Button>
        </>
      }
    >
      <p className="quiet">
        {`It names version ${version} now. What asks for ${name}@${alias} finds nothing afterwards; the version stays.`}
      </p>
    </Dialog>
  );
}
