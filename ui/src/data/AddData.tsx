import { FilePlus, FolderPlus } from "lucide-react";
import { useState } from "react";
import { useAction } from "../api/client";
import { host, toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { plural } from "../shared/format";
import { Failure } from "../shared/states";
import { Button, Field } from "../shared/ui";

export function AddData({
  project,
  open,
  onOpenChange,
  paths: given = [],
}: {
  project: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  paths?: string[];
}) {
  const [picked, setPicked] = useState<string[]>([]);
  const [message, setMessage] = useState("");
  const paths = [...given, ...picked];
  const add = useAction("data.add", {
    quiet: true,
    done: (added) => {
      const changed = added.filter(({ changed: is }) => is).length;
      return changed > 0 ? `Added ${plural(changed, "dataset")}` : "Already tracked: nothing changed";
    },
    onDone() {
      setPicked([]);
      setMessage("");
      onOpenChange(false);
    },
  });
  const take = (path: string | null) => {
    if (path && !paths.includes(path)) setPicked([...picked, path]);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={given.length > 0 ? "Save a version" : "Add data"}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            busy={add.isPending}
            disabled={paths.length === 0}
            onClick={() => add.mutate({ project, paths, message: message.trim() || null })}
          >
            {add.isPending ? "Hashing…" : given.length > 0 ? "Save" : "Add"}
          </Button>
        </>
      }
    >
      {given.length > 0 ? null : (
        <>
          <p className="quiet">
            What lies outside the project is copied into its data folder. Content goes to the cache, a small
            file with its hash to git.
          </p>
          <div className="line">
            <Button icon={FilePlus} onClick={() => void host().pickFile("Add a file").then(take)}>
              Choose a file…
            </Button>
            <Button icon={FolderPlus} onClick={() => void host().pickFolder("Add a folder").then(take)}>
              Choose a folder…
            </Button>
          </div>
        </>
      )}
      {paths.length > 0 ? (
        <ul>
          {paths.map((path) => (
            <li key={path}>
              <code>{path}</code>
            </li>
          ))}
        </ul>
      ) : null}
      <Field label="Commit message" hint="Empty leaves the new version uncommitted">
        <input
          className="input"
          value={message}
          onChange={(event) => setMessage(event.target.value)}
          placeholder="Add July’s flights"
        />
      </Field>
      {add.isError ? <Failure report={toReport(add.error)} /> : null}
    </Dialog>
  );
}
