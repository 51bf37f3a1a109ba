import { FolderDown } from "lucide-react";
import type { ReactNode } from "react";
import type { Exported } from "../api/generated";
import { host } from "../host";
import { Dialog } from "./Dialog";
import { Asked } from "./states";
import { Button, CopyButton } from "./ui";
import "./export.css";

/** What a text for another program looks like, and where it goes: the same for pipelines and endpoints. */
export function ExportDialog<T extends string>({
  title,
  targets,
  target,
  onTarget,
  preview,
  saving,
  onSave,
  open,
  onOpenChange,
  children,
}: {
  title: string;
  targets: readonly (readonly [T, string])[];
  target: T;
  onTarget: (target: T) => void;
  preview: Parameters<typeof Asked<Exported>>[0]["query"];
  saving: boolean;
  /** Writes the export into a folder, an absolute path. */
  onSave: (folder: string) => void;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  children: ReactNode;
}) {
  const save = async () => {
    const folder = await host().pickFolder("Save the export in a folder");
    if (folder) onSave(folder);
  };
  return (
    <Dialog
      wide
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Close</Button>
          <Button
            kind="primary"
            icon={FolderDown}
            busy={saving}
            disabled={!preview.isSuccess}
            onClick={() => void save()}
          >
            Save in a folder…
          </Button>
        </>
      }
    >
      <fieldset className="export-for">
        <legend>For</legend>
        <div className="segments">
          {targets.map(([key, word]) => (
            <button key={key} type="button" aria-pressed={target === key} onClick={() => onTarget(key)}>
              {word}
            </button>
          ))}
        </div>
      </fieldset>
      <div className="export-fields">{children}</div>
      <Asked query={preview}>
        {({ file, text, notes }) => (
          <>
            {notes.length > 0 ? (
              <ul className="export-notes">
                {notes.map((note) => (
                  <li key={note}>{note}</li>
                ))}
              </ul>
            ) : null}
            <section aria-label={file} className="export-preview">
              <header>
                <span className="mono">{file}</span>
                <CopyButton text={text} label={`Copy ${file}`} />
              </header>
              <pre tabIndex={0}>{text}</pre>
            </section>
          </>
        )}
      </Asked>
    </Dialog>
  );
}
