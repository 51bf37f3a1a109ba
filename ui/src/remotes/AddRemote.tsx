import { FolderOpen } from "lucide-react";
import { useState } from "react";
import { useAction } from "../api/client";
import type { RemoteKind } from "../api/generated";
import { host, toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { Failure } from "../shared/states";
import { Button, Field } from "../shared/ui";
import { hasEndpoint, KINDS, takesSecret } from "./kinds";
import { NO_POD, PodFields, podOptions } from "./PodFields";
import { NOBODY, SignInFields } from "./SignInFields";

/** Only what a person may choose: git keeps its own remotes. */
const CHOICES: RemoteKind[] = [
  "storage",
  "mlflow",
  "hugging_face",
  "oci",
  "ssh",
  "docker",
  "slurm",
  "kubernetes",
  "ray",
];

/** Kinds that take a user and a secret from us. */
const REGISTRIES: readonly RemoteKind[] = ["mlflow", "hugging_face", "oci", "ray"];

const PLACEHOLDERS: Partial<Record<RemoteKind, string>> = {
  storage: "/mnt/share/dvc",
  mlflow: "https://mlflow.example.org",
  hugging_face: "https://huggingface.co",
  oci: "https://registry.example.org/team",
  ssh: "ssh://ada@gpu-box",
  slurm: "slurm://ada@login.cluster.example.org",
  kubernetes: "kube://my-context",
  docker: "ssh://ada@docker-host",
  ray: "http://ray.example.org:8265",
};

export function AddRemote({
  project,
  first,
  open,
  onOpenChange,
}: {
  project: string;
  first: boolean;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [kind, setKind] = useState<RemoteKind>("storage");
  const [usual, setUsual] = useState(false);
  const [endpoint, setEndpoint] = useState("");
  const [signIn, setSignIn] = useState(NOBODY);
  const [options, setOptions] = useState(NO_POD);
  const storage = kind === "storage";
  const pod = kind === "kubernetes";
  const bucket = storage && hasEndpoint(url);
  const signed = storage ? takesSecret(url) : REGISTRIES.includes(kind);
  const add = useAction("remotes.add", {
    quiet: true,
    done: (added, input) => {
      const before = added.replaced ? ` (it led to ${added.replaced} until now)` : "";
      const said = `Added ${input.name}${before}`;
      return added.place ? `${said}, its secret is in ${added.place}` : said;
    },
    onDone: () => {
      setName("");
      setUrl("");
      setEndpoint("");
      setSignIn(NOBODY);
      setOptions(NO_POD);
      onOpenChange(false);
    },
  });
  const send = () =>
    add.mutate({
      project,
      name: name.trim(),
      url: url.trim(),
      kind,
      default: storage && (usual || first),
      user: (signed && signIn.user.trim()) || null,
      secret: (signed && signIn.secret) || null,
      options: pod ? podOptions(options) : bucket && endpoint.trim() ? { endpointurl: endpoint.trim() } : {},
    });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Add a remote"
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            kind="primary"
            busy={add.isPending}
            disabled={name.trim() === "" || url.trim() === ""}
            onClick={send}
          >
            Add
          </Button>
        </>
      }
    >
      <Field label="Kind">
        <select
          className="input"
          value={kind}
          onChange={(event) => {
            const chosen = CHOICES.find((choice) => choice === event.target.value);
            if (chosen) setKind(chosen);
          }}
        >
          {CHOICES.map((choice) => (
            <option key={choice} value={choice}>
              {KINDS[choice]}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Name">
        <input
          className="input"
          value={name}
          placeholder={storage ? "store" : "team"}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field
        label="Address"
        hint={
          storage
            ? "A folder, or s3://bucket/path, gs://bucket/path, azure://container/path, ssh://host/path, https://host/path."
            : undefined
        }
      >
        <span className="line">
          <input
            className="input mono"
            value={url}
            placeholder={PLACEHOLDERS[kind] ?? "https://"}
            onChange={(event) => setUrl(event.target.value)}
          />
          {storage ? (
            <Button
              icon={FolderOpen}
              onClick={() =>
                void host()
                  .pickFolder("Folder of the remote")
                  .then((path) => path && setUrl(path))
              }
            >
              Choose…
            </Button>
          ) : null}
        </span>
      </Field>
      {storage ? (
        <label className="line">
          <input
            type="checkbox"
            checked={usual || first}
            disabled={first}
            onChange={(event) => setUsual(event.target.checked)}
          />
          <span>Use it where none is named</span>
        </label>
      ) : null}
      {bucket ? (
        <Field label="Endpoint" hint="Only for a server of your own, such as MinIO.">
          <input
            className="input mono"
            value={endpoint}
            placeholder="https://minio.example.org"
            onChange={(event) => setEndpoint(event.target.value)}
          />
        </Field>
      ) : null}
      {signed ? (
        <SignInFields value={signIn} onChange={setSignIn} />
      ) : pod ? (
        <PodFields value={options} onChange={setOptions} />
      ) : !storage || url.startsWith("ssh://") ? (
        <p className="quiet">Your own keys, agent and ssh configuration are used.</p>
      ) : null}
      {add.isError ? <Failure report={toReport(add.error)} /> : null}
    </Dialog>
  );
}
