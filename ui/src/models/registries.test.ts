import { expect, test } from "vitest";
import type { RemoteKind, RemoteRow } from "../api/generated";
import { registries, versionWord } from "./registries";

const row = (name: string, kind: RemoteKind, supported: boolean): RemoteRow => ({
  name,
  called: name,
  kind,
  supported,
  url: "x",
  default: false,
  origin: { by: "workspace" },
  signed_in: null,
});

test("storage and what is only listed keep no models", () => {
  const all = [
    row("a", "storage", true),
    row("b", "mlflow", true),
    row("c", "mlflow", false),
    row("d", "hugging_face", true),
  ];
  expect(registries(all).map(({ name }) => name)).toEqual(["b", "d"]);
});

test("only numbers are versions", () => {
  expect(["3", "main"].map(versionWord)).toEqual(["v3", "main"]);
});
