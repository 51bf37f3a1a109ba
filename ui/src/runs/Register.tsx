import { useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { LoggedModelRow } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { pathTo, useGo } from "../shared/place";
import { Failure, Prose } from "../shared/states";
import { Button, Field } from "../shared/ui";

export function Register({
  model,
  suggested,
  onClose,
}: {
  model: LoggedModelRow | null;
  suggested: string;
  onClose: () => void;
}) {
  const go = useGo();
  const models = useCommand("models.list", {}, { enabled: model !== null });
  const [typed, setTyped] = useState<string | null>(null);
  const [alias, setAlias] = useState("");
  const name = typed ?? suggested;
  const register = useAction("models.register", {
    quiet: true,
    done: (version) => `Registered ${name} v${version.version}`,
    onDone: (version) => {
      onClose();
      go(pathTo("models", name, version.version));
    },
  });
  return (
    <Dialog
      open={model !== null}
      onOpenChange={(open) => !open && onClose()}
      title="Register model"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={register.isPending}
            disabled={name.trim() === "" || model === null}
            onClick={() =>
              model && register.mutate({ name: name.trim(), source: model.uri, alias: alias.trim() || null })
            }
          >
            Register
          </Button>
        </>
      }
    >
      <p className="quiet">
        <code>{model?.uri}</code> becomes the next version of a registered model.
      </p>
      <Field label="Model">
        <input
          className="input"
          list="known-models"
          value={name}
          onChange={(event) => setTyped(event.target.value)}
        />
      </Field>
      <datalist id="known-models">
        {models.data?.map((known) => (
          <option key={known.name} value={known.name} />
        ))}
      </datalist>
      <Field
        label="Alias"
        hint={<Prose text="Optional. `champion` is what a deployment of NAME@champion serves." />}
      >
        <input
          className="input"
          list="known-aliases"
          value={alias}
          onChange={(event) => setAlias(event.target.value)}
          placeholder="champion"
        />
      </Field>
      <datalist id="known-aliases">
        <option value="champion" />
        <option value="challenger" />
      </datalist>
      {register.isError ? <Failure report={toReport(register.error)} /> : null}
    </Dialog>
  );
}
