import type { RemoteKind, RemoteOrigin, Synced } from "../api/generated";
import { plural } from "../shared/format";

/** What each kind is called, in the order in which people look for them. */
export const KINDS: Record<RemoteKind, string> = {
  storage: "Storage",
  mlflow: "MLflow server",
  hugging_face: "Hugging Face Hub",
  oci: "OCI registry",
  git: "Git repository",
  ssh: "ssh host",
  docker: "Docker host",
  slurm: "Slurm cluster",
  kubernetes: "Kubernetes cluster",
  ray: "Ray cluster",
  airflow: "Airflow server",
  kubeflow: "Kubeflow Pipelines",
};

/** Who named a remote, in one or two words; the whole file is for a tooltip. */
export function originWords(origin: RemoteOrigin): string {
  switch (origin.by) {
    case "project":
      return "project";
    case "workspace":
      return "you";
    case "found":
      return origin.file.replace(/^.*?\/(\.[^/]+\/)/, "~/$1");
  }
}

/** What a sync moved, in one sentence. */
export function synced(moved: Synced, { name }: { name: string }): string {
  const there = moved.runs_pushed.length + moved.versions_pushed.length;
  const here = moved.runs_pulled.length + moved.versions_pulled.length;
  if (there + here === 0) return `Here and ${name} are the same: nothing moved`;
  const words = (runs: string[], versions: string[]) =>
    [
      runs.length > 0 ? plural(runs.length, "run") : null,
      versions.length > 0 ? plural(versions.length, "version") : null,
    ]
      .filter((part) => part !== null)
      .join(" and ");
  const parts = [
    there > 0 ? `${words(moved.runs_pushed, moved.versions_pushed)} to ${name}` : null,
    here > 0 ? `${words(moved.runs_pulled, moved.versions_pulled)} from there` : null,
  ];
  return `Moved ${parts.filter((part) => part !== null).join(", ")}`;
}

/** Storage whose server can be another one than the cloud's own. */
export function hasEndpoint(address: string): boolean {
  return /^(s3|gs):\/\//.test(address.trim());
}

/** Storage that takes a secret from us; folders and ssh have ways of their own. */
export function takesSecret(address: string): boolean {
  return /^(s3|gs|azure|https?):\/\//.test(address.trim());
}
