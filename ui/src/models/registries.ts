import type { RemoteRow } from "../api/generated";

/** The remotes that models can be pushed to and pulled from. */
export function registries(remotes: readonly RemoteRow[]): RemoteRow[] {
  return remotes.filter((row) => row.supported && (row.kind === "mlflow" || row.kind === "oci"));
}
