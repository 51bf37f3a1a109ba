import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createQueryClient } from "../api/client";
import { useThisHost } from "../host";
import { mockHost } from "../host/mock";
import { reshape, type Shape, SWEEP, trialId } from "../host/mock/sweeps";
import { createAppRouter } from "../routes";

/** Every page module is loaded on its first visit; on a busy machine that takes a while. */
const PATIENT = { timeout: 15_000 };
let asked: [string, unknown][] = [];

function open(path: string, shape: Shape) {
  window.location.hash = `#${path}`;
  const mock = mockHost();
  reshape(shape, 12, false);
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

const button = (name: string) => screen.findByRole("button", { name }, PATIENT);
const inputOf = (name: string) => asked.filter(([command]) => command === name).at(-1)?.[1];

beforeEach(() => {
  asked = [];
});
afterEach(cleanup);

test("the best trial's parameters are shown before they are set", async () => {
  open(`/runs/${SWEEP}`, "done");
  fireEvent.click(await button("Use these parameters…"));
  const dialog = within(await screen.findByRole("dialog", {}, PATIENT));
  dialog.getByText("model.learning_rate");
  expect(
    asked.some(([name]) => name === "pipeline.run"),
    "nothing is set before the answer",
  ).toBe(false);
  fireEvent.click(dialog.getByRole("button", { name: "Use them" }));
  await vi.waitFor(() => expect(inputOf("pipeline.run")).toBeDefined(), PATIENT);
  expect(inputOf("pipeline.run")).toMatchObject({
    force: false,
    stages: [],
    set: [expect.stringMatching(/^model\.learning_rate=/), expect.anything(), expect.anything()],
  });
}, 60_000);

test("a sweep that goes on is stopped from its page", async () => {
  open(`/runs/${SWEEP}`, "running");
  await screen.findByText("7 of 12 done, 2 running, 1 failed", {}, PATIENT);
  fireEvent.click(await button("Stop"));
  await vi.waitFor(() => expect(inputOf("pipeline.stop")).toEqual({ run_id: SWEEP }), PATIENT);
}, 60_000);

test("a failed sweep says why, and offers no best trial", async () => {
  open(`/runs/${SWEEP}`, "failed");
  const alert = await screen.findByRole("alert", {}, PATIENT);
  expect(alert.textContent).toContain("every trial needs it");
  expect(screen.queryByRole("button", { name: "Use these parameters…" })).toBeNull();
}, 60_000);

test("why a trial failed is there to read in full, with its log", async () => {
  open(`/runs/${SWEEP}`, "done");
  const why = within(await screen.findByRole("list", { name: "Why trials failed" }, PATIENT));
  why.getByText("train");
  const log = why.getByRole("link", { name: "5" });
  expect(log.getAttribute("href")).toBe(`#/runs/${trialId(5)}?tab=log`);
}, 60_000);

test("a sweep that was stopped goes on with what is missing", async () => {
  open(`/runs/${SWEEP}`, "stopped");
  fireEvent.click(await button("Sweep again"));
  await vi.waitFor(() => expect(inputOf("pipeline.sweep")).toBeDefined(), PATIENT);
  expect(inputOf("pipeline.sweep")).toMatchObject({
    values: ["model.learning_rate=log_uniform(1e-3, 1)", "model.max_leaf_nodes=15,31,63,127"],
    random: 12,
  });
}, 60_000);

test("a trial's page leads back to its sweep", async () => {
  open(`/runs/${trialId(3)}`, "done");
  const link = await screen.findByRole("link", { name: "sweep of 12 trials" }, PATIENT);
  expect(link.getAttribute("href")).toBe(`#/runs/${SWEEP}`);
}, 60_000);
