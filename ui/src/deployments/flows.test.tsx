import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { call, createQueryClient } from "../api/client";
import { useThisHost } from "../host";
import { mockHost } from "../host/mock";
import { createAppRouter } from "../routes";
import { RollBack } from "./Revisions";

/** Every page module is loaded on its first visit; on a busy machine that takes a while. */
const PATIENT = { timeout: 15_000 };
let asked: [string, unknown][] = [];

function listening() {
  const mock = mockHost();
  // biome-ignore lint/correctness/useHookAtTopLevel: it sets the host and is no hook, whatever its name
  useThisHost({
    ...mock,
    rpc(name, input) {
      asked.push([name, input]);
      return mock.rpc(name, input);
    },
  });
}

function open(path: string) {
  window.location.hash = `#${path}`;
  listening();
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

test("try it sends the example with its types, and the answer names the prediction", async () => {
  open("/deployments/flight-delays?tab=try");
  fireEvent.click(await button("Send"));
  await screen.findByText("01kb8q2m9v7x5", {}, PATIENT);
  expect(inputOf("deployments.predict")).toEqual({
    name: "flight-delays",
    records: [expect.objectContaining({ carrier: "UA", dep_hour: 17, wind_speed: 12.7 })],
  });
}, 30_000);

test("a wrong number is said beside its field and nothing is sent", async () => {
  open("/deployments/flight-delays?tab=try");
  const send = await button("Send");
  fireEvent.change(screen.getByDisplayValue("17"), { target: { value: "late" } });
  fireEvent.click(send);
  await screen.findByText("a whole number", {}, PATIENT);
  expect(inputOf("deployments.predict")).toBeUndefined();
}, 30_000);

test("rolling back names both revisions before it does", async () => {
  listening();
  const { revisions } = await call("deployments.get", { name: "flight-delays" });
  const [now, earlier] = revisions;
  if (!now || !earlier) throw new Error("the made-up deployment has no earlier revision");
  render(
    <QueryClientProvider client={createQueryClient()}>
      <RollBack name="flight-delays" from={now} to={earlier} onClose={() => undefined} />
    </QueryClientProvider>,
  );
  const dialog = await screen.findByRole("dialog", { name: /from revision 4 to 3/ }, PATIENT);
  fireEvent.click(within(dialog).getByRole("button", { name: "Roll back" }));
  await vi.waitFor(() =>
    expect(inputOf("deployments.rollback")).toEqual({ name: "flight-delays", revision: 3 }),
  );
}, 30_000);

test("removing asks for the name", async () => {
  open("/deployments/flight-delays");
  fireEvent.click(await button("Remove flight-delays"));
  const dialog = await screen.findByRole("dialog", {}, PATIENT);
  const remove = within(dialog).getByRole("button", { name: "Remove flight-delays" });
  expect(remove).toHaveProperty("disabled", true);
  fireEvent.change(within(dialog).getByRole("textbox"), { target: { value: "flight-delays" } });
  expect(remove).toHaveProperty("disabled", false);
}, 30_000);

test("deploy follows its job and ends at the deployment", async () => {
  open("/models/flight-delays");
  fireEvent.click(await button("Deploy"));
  const dialog = await screen.findByRole("dialog", {}, PATIENT);
  fireEvent.click(within(dialog).getByRole("button", { name: "Deploy" }));
  await button("Open deployment");
  expect(inputOf("deployments.deploy")).toMatchObject({
    model: "flight-delays@champion",
    name: "flight-delays",
    port: null,
    target: null,
  });
}, 30_000);
