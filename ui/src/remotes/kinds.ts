import type { RemoteKind, RemoteOrigin } from "../api/generated";

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
