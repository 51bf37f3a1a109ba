import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createQueryClient } from "../api/client";
import { useThisHost } from "../host";
import { mockHost } from "../host/mock";
import { SWEEP } from "../host/mock/sweeps";
import { createAppRouter } from "../routes";

/** Every page module is loaded on its first visit; on a busy machine that takes a while. */
const PATIENT = { timeout: 15_000 };
let asked: [string, unknown][] = [];

function open(path: string) {
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
}

const inputOf = (name: string) => asked.filter(([command]) => command === name).at(-1)?.[1];
const type = (field: HTMLElement, value: string) => fireEvent.change(field, { target: { value } });

/** The pipeline's page with the form open. */
async function form() {
  open("/pipeline");
  const button = await screen.findByRole("button", { name: "Sweep…" }, PATIENT);
  await vi.waitFor(() => expect(button.hasAttribute("disabled")).toBe(false), PATIENT);
  fireEvent.click(button);
  return within(await screen.findByRole("dialog", { name: "Sweep" }, PATIENT));
}

beforeEach(() => {
  asked = [];
});
afterEach(cleanup);

test("a form says what it would do, and its start leads to the sweep", async () => {
  const dialog = await form();
  const start = dialog.getByRole("button", { name: "Start" });
  expect(start.hasAttribute("disabled")).toBe(true);
  type(dialog.getByLabelText("Parameter"), "model.learning_rate");
  type(dialog.getByLabelText("Values of model.learning_rate"), "0.02, 0.05, 0.1");
  type(dialog.getByLabelText(/^Metric/), "log_loss");
  await dialog.findByText("3 trials, 1 at a time; in each: train → evaluate", {}, PATIENT);
  expect(
    asked.some(([name]) => name === "pipeline.sweep"),
    "looking starts nothing",
  ).toBe(false);
  await vi.waitFor(() => expect(start.hasAttribute("disabled")).toBe(false), PATIENT);
  fireEvent.click(start);
  await vi.waitFor(() => expect(window.location.hash).toContain(`/runs/${SWEEP}`), PATIENT);
  expect(inputOf("pipeline.sweep")).toMatchObject({
    values: ["model.learning_rate=0.02, 0.05, 0.1"],
    random: null,
    goal: { metric: "log_loss", better: "lower" },
  });
}, 60_000);

test("a refusal is shown at its parameter, and nothing can be started", async () => {
  const dialog = await form();
  type(dialog.getByLabelText("Parameter"), "model.max_iter");
  type(dialog.getByLabelText("Values of model.max_iter"), "100,");
  const alert = await dialog.findByRole("alert", {}, PATIENT);
  expect(alert.textContent).toContain("has an empty value");
  expect(dialog.getByLabelText("Values of model.max_iter").getAttribute("aria-invalid")).toBe("true");
  expect(dialog.getByRole("button", { name: "Start" }).hasAttribute("disabled")).toBe(true);
}, 60_000);

test("endlessly many values are tried at random", async () => {
  const dialog = await form();
  type(dialog.getByLabelText("Parameter"), "model.learning_rate");
  type(dialog.getByLabelText("Values of model.learning_rate"), "log_uniform(1e-3, 1)");
  expect(dialog.getByRole("alert").textContent).toContain("endlessly many values");
  fireEvent.click(dialog.getByRole("button", { name: "So many at random" }));
  expect(dialog.queryByRole("alert")).toBeNull();
  type(dialog.getByLabelText("How many"), "3");
  await dialog.findByText(/^3 trials/, {}, PATIENT);
  expect(inputOf("pipeline.plan_sweep")).toMatchObject({ random: 3, seed: null });
}, 60_000);
