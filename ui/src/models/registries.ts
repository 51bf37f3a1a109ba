import type { Cargo, RemoteKind, RemoteRow } from "../api/generated";

const KEEPING: readonly RemoteKind[] = ["mlflow", "hugging_face", "oci"];

/** What may bring a model here, or elsewhere. */
export const MOVING: readonly Cargo[] = ["model", "runs"];

/** The remotes that models can be pushed to and pulled from. */
export function registries(remotes: readonly RemoteRow[]): RemoteRow[] {
  return remotes.filter((row) => row.supported && KEEPING.includes(row.kind));
}

/** A version as a registry calls it: a number, or the branch that is read where nobody made versions. */
export function versionWord(version: string): string {
  return /^\d+$/.test(version) ? `v${version}` : version;
}
