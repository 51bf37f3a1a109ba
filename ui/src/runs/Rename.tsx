import { useState } from "react";
import { useAction } from "../api/client";
import { Dialog } from "../shared/Dialog";
import { Button } from "../shared/ui";

export function Rename({
  run_id,
  name,
  open,
  onClose,
}: {
  run_id: string;
  name: string;
  open: boolean;
  onClose: () => void;
}) {
  const [text, setText] = useState(name);
  const rename = useAction("runs.rename", { onDone: onClose });
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title="Rename the run"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={rename.isPending}
            disabled={text.trim() === ""}
            onClick={() => rename.mutate({ run_id, name: text.trim() })}
          >
            Rename
          </Button>
        </>
      }
    >
      <input
        className="input"
        aria-label="Name"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </Dialog>
  );
}
