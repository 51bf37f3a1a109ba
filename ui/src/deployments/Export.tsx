import { useDeferredValue, useState } from "react";
import { useAction, useCommand } from "../api/client";
import type { ExportDeployment, Package } from "../api/generated";
import { ExportDialog } from "../shared/ExportDialog";
import { Field } from "../shared/ui";
import { PushImage, usePushImage } from "./PushImage";

const PACKAGES = [
  ["image", "Image"],
  ["compose", "Compose"],
  ["kubernetes", "Kubernetes"],
  ["kserve", "KServe"],
] as const;

export function Export({
  name,
  revision,
  open,
  onOpenChange,
}: {
  name: string;
  revision: number | null;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [target, setTarget] = useState<Package>("image");
  const [image, setImage] = useState("");
  const [namespace, setNamespace] = useState("");
  const inCluster = target === "kubernetes" || target === "kserve";
  const input: ExportDeployment = {
    name,
    package: target,
    image: image.trim() || null,
    base: null,
    namespace: (inCluster && namespace.trim()) || null,
    replicas: null,
    memory_gib: null,
    storage_uri: null,
    out: null,
  };
  const asked = useDeferredValue(input);
  const preview = useCommand("deployments.export", asked, { enabled: open, keep: true });
  const push = usePushImage(open && target === "image");
  const save = useAction("deployments.export", { done: ({ written }) => `Written to ${written}` });
  return (
    <ExportDialog
      title={`Export ${name}`}
      targets={PACKAGES}
      target={target}
      onTarget={setTarget}
      preview={preview}
      saving={save.isPending}
      onSave={(out) => save.mutate({ ...input, out })}
      open={open}
      onOpenChange={onOpenChange}
    >
      <Field label="Image" hint="What it is called where it is pulled from">
        <input
          className="input mono"
          value={image}
          placeholder={`${name}:r${revision ?? 1}`}
          onChange={(event) => setImage(event.target.value)}
        />
      </Field>
      {target === "image" && open ? <PushImage name={name} push={push} /> : null}
      {inCluster ? (
        <Field label="Namespace">
          <input
            className="input mono"
            value={namespace}
            placeholder="default"
            onChange={(event) => setNamespace(event.target.value)}
          />
        </Field>
      ) : null}
    </ExportDialog>
  );
}
