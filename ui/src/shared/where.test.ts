import { expect, test } from "vitest";
import type { RemoteKind, RemoteRow } from "../api/generated";
import { machines } from "./Where";

const row = (name: string, kind: RemoteKind): RemoteRow => ({
  name,
  called: name,
  kind,
  supported: true,
  url: "x",
  default: false,
  origin: { by: "workspace" },
  signed_in: null,
});

test("only machines run commands", () => {
  const all = [
    row("data", "storage"),
    row("box", "ssh"),
    row("team", "mlflow"),
    row("hpc", "slurm"),
    row("kind", "kubernetes"),
  ];
  expect(machines(all).map(({ name }) => name)).toEqual(["box", "hpc", "kind"]);
});
