import { useState } from "react";
import { useAction } from "../api/client";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { usePlace } from "../shared/place";
import { Failure } from "../shared/states";
import { Button, Field } from "../shared/ui";

/** Cannot be undone, so the name is typed. */
export function Remove({
  name,
  open,
  onOpenChange,
}: {
  name: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const place = usePlace();
  const [typed, setTyped] = useState("");
  const remove = useAction("deployments.remove", {
    quiet: true,
    done: `Removed ${name}`,
    onDone: () => place.go("/deployments", true),
  });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Remove ${name}?`}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="danger"
            busy={remove.isPending}
            disabled={typed !== name}
            onClick={() => remove.mutate({ name })}
          >
            {`Remove ${name}`}
          </Button>
        </>
      }
    >
      <p>
        Its address stops answering, and its revisions, its log of predictions and their labels are deleted.
        The models stay in the registry.
      </p>
      <Field label={`Type ${name} to confirm`}>
        <input
          className="input mono"
          value={typed}
          autoComplete="off"
          onChange={(event) => setTyped(event.target.value)}
        />
      </Field>
      {remove.isError ? <Failure report={toReport(remove.error)} /> : null}
    </Dialog>
  );
}
