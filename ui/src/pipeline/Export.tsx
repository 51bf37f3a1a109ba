import { useDeferredValue, useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { Engine, ExportPipeline } from "../api/generated";
import { ExportDialog } from "../shared/ExportDialog";
import { Field } from "../shared/ui";

const ENGINES = [
  ["airflow", "Airflow"],
  ["kubeflow", "Kubeflow Pipelines"],
] as const;

/** An empty field is no answer. */
const given = (text: string) => text.trim() || null;

export function Export({
  project,
  open,
  onOpenChange,
}: {
  project: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [engine, setEngine] = useState<Engine>("airflow");
  const [schedule, setSchedule] = useState("");
  const [image, setImage] = useState("");
  const [root, setRoot] = useState("");
  const input: ExportPipeline = {
    project,
    engine,
    name: null,
    schedule: given(schedule),
    root: given(root),
    image: given(image),
    retries: null,
    tags: [],
    out: null,
  };
  const asked = useDeferredValue(input);
  const preview = useCommand("pipeline.export", asked, { enabled: open, keep: true });
  const save = useAction("pipeline.export", { done: ({ written }) => `Written to ${written}` });
  return (
    <ExportDialog
      title="Export the pipeline"
      targets={ENGINES}
      target={engine}
      onTarget={setEngine}
      preview={preview}
      saving={save.isPending}
      onSave={(out) => save.mutate({ ...input, out })}
      open={open}
      onOpenChange={onOpenChange}
    >
      {engine === "airflow" ? (
        <Field label="Schedule" hint="Five fields as in cron, or none; that of the automation without it">
          <input
            className="input mono"
            value={schedule}
            placeholder="0 3 * * 1"
            onChange={(event) => setSchedule(event.target.value)}
          />
        </Field>
      ) : (
        <Field label="Image" hint="For stages that name none in dvc.yaml">
          <input
            className="input mono"
            value={image}
            placeholder="registry.example/project:1"
            onChange={(event) => setImage(event.target.value)}
          />
        </Field>
      )}
      <Field label="Project folder there">
        <input
          className="input mono"
          value={root}
          placeholder={engine === "airflow" ? project : "/project"}
          onChange={(event) => setRoot(event.target.value)}
        />
      </Field>
    </ExportDialog>
  );
}
