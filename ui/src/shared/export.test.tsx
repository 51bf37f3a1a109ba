import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createQueryClient } from "../api/client";
import { useThisHost } from "../host";
import { mockHost } from "../host/mock";
import { createAppRouter } from "../routes";

/** Every page module is loaded on its first visit; on a busy machine that takes a while. */
const PATIENT = { timeout: 15_000 };
let asked: [string, unknown][] = [];

async function exporting(path: string) {
  window.location.hash = `#${path}`;
  const mock = mockHost();
  // biome-ignore lint/correctness/useHookAtTopLevel: it sets the host and is no hook, whatever its name
  useThisHost({
    ...mock,
    rpc(name, input) {
      asked.push([name, input]);
      return mock.rpc(name, input);
    },
  });
  render(
    <QueryClientProvider client={createQueryClient()}>
      <RouterProvider router={createAppRouter()} />
    </QueryClientProvider>,
  );
  fireEvent.click(await screen.findByRole("button", { name: "Export…" }, PATIENT));
  return within(await screen.findByRole("dialog", {}, PATIENT));
}

const inputOf = (name: string) => asked.filter(([command]) => command === name).at(-1)?.[1];

beforeEach(() => {
  asked = [];
});
afterEach(cleanup);

test("a pipeline is shown as a DAG, and saved where it was asked for", async () => {
  const dialog = await exporting("/pipeline");
  await dialog.findByText(/from airflow.sdk import DAG/, {}, PATIENT);
  fireEvent.change(dialog.getByLabelText(/Schedule/), { target: { value: "0 3 * * 1" } });
  fireEvent.click(dialog.getByRole("button", { name: "Save in a folder…" }));
  await vi.waitFor(() =>
    expect(inputOf("pipeline.export")).toMatchObject({
      engine: "airflow",
      schedule: "0 3 * * 1",
      out: "/home/ada/work/flight-delays",
    }),
  );
}, 30_000);

test("without an image Kubeflow says what is missing, and nothing can be saved", async () => {
  const dialog = await exporting("/pipeline");
  fireEvent.click(dialog.getByRole("button", { name: "Kubeflow Pipelines" }));
  await dialog.findByText(/names no image/, {}, PATIENT);
  expect(dialog.getByRole("button", { name: "Save in a folder…" })).toHaveProperty("disabled", true);
  fireEvent.change(dialog.getByLabelText(/Image/), { target: { value: "registry.example/flights:2" } });
  await dialog.findByText(/executorLabel/, {}, PATIENT);
}, 30_000);

test("an endpoint is shown for each place that can run it", async () => {
  const dialog = await exporting("/deployments/flight-delays?tab=snippets");
  await dialog.findByText("Dockerfile", {}, PATIENT);
  fireEvent.click(dialog.getByRole("button", { name: "Kubernetes" }));
  await dialog.findByText("kubernetes.yaml", {}, PATIENT);
  fireEvent.change(dialog.getByLabelText(/Namespace/), { target: { value: "models" } });
  await vi.waitFor(() =>
    expect(inputOf("deployments.export")).toMatchObject({ package: "kubernetes", namespace: "models" }),
  );
}, 30_000);
