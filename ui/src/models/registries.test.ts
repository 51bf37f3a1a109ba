import { expect, test } from "vitest";
import type { RemoteKind, RemoteRow } from "../api/generated";
import { registries } from "./registries";

const row = (name: string, kind: RemoteKind, supported: boolean): RemoteRow => ({
  name,
  kind,
  supported,
  url: "x",
  default: false,
  origin: { by: "workspace" },
  signed_in: null,
});

test("storage and what is only listed keep no models", () => {
  const all = [row("a", "storage", true), row("b", "mlflow", true), row("c", "mlflow", false)];
  expect(registries(all).map(({ name }) => name)).toEqual(["b"]);
});
