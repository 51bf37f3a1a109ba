import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { createQueryClient } from "../api/client";
import type { TransferRow } from "../api/generated";
import { ReportError, useThisHost } from "../host";
import { mockHost } from "../host/mock";
import { createAppRouter } from "../routes";
import { share, title } from "./Transfers";

/** Every page module is loaded on its first visit; on a busy machine that takes a while. */
const PATIENT = { timeout: 15_000 };

/** The page, while `row` moves until somebody stops it. */
async function open(path: string, row: TransferRow) {
  window.location.hash = `#${path}`;
  const mock = mockHost();
  let rows = [row];
  let end = (_: unknown) => {};
  const commits = row.cargo === "commits";
  const moving = `${commits ? "projects" : "data"}.${row.direction}`;
  const stopped = commits ? "git.stopped" : "remote.stopped";
  // biome-ignore lint/correctness/useHookAtTopLevel: it sets the host and is no hook, whatever its name
  useThisHost({
    ...mock,
    rpc(name, input) {
      if (name === "transfers.list") return Promise.resolve(rows);
      if (name === moving) return new Promise((_, reject) => (end = reject));
      if (name !== "transfers.stop") return mock.rpc(name, input);
      expect(input).toEqual({ id: row.id });
      rows = [];
      end(new ReportError({ code: "failed", name: stopped, message: "stopped", hint: null }));
      return Promise.resolve({});
    },
  });
  show();
  return screen.findByRole("progressbar", {}, PATIENT);
}

function show() {
  render(
    <QueryClientProvider client={createQueryClient()}>
      <RouterProvider router={createAppRouter()} />
    </QueryClientProvider>,
  );
}

const PUSH: TransferRow = {
  id: 7,
  direction: "push",
  cargo: "data",
  name: null,
  remote: null,
  what: "Pushed 2 of 9 files",
  done: 13_600_000,
  total: 61_400_000,
  stopping: false,
};

afterEach(cleanup);

test("a push shows how far it is, and a stop says what the next one does", async () => {
  const bar = await open("/data", PUSH);
  expect(bar.getAttribute("aria-label")).toBe("Push to the default remote");
  expect(bar.getAttribute("aria-valuenow")).toBe("22");
  expect(screen.getByText("Pushed 2 of 9 files, 13.6 MB of 61.4 MB")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Push" }));
  fireEvent.click(screen.getByRole("button", { name: "Stop: Push to the default remote" }));
  await screen.findByText("Stopped. The next push goes on from there.", {}, PATIENT);
  await vi.waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull(), PATIENT);
}, 30_000);

test("on the page of remotes a pull of unknown size is named, and has no number yet", async () => {
  const row = { ...PUSH, direction: "pull" as const, remote: "store", what: "Looking", total: 0, done: 0 };
  const bar = await open("/remotes", { ...row, stopping: true });
  expect(bar.getAttribute("aria-label")).toBe("Pull from store");
  expect(bar.getAttribute("aria-valuenow")).toBeNull();
  const button = screen.getByRole("button", { name: "Stopping…: Pull from store" });
  expect(button).toHaveProperty("disabled", true);
  expect(button.textContent).toBe("Stopping…");
}, 30_000);

test("a model on its way is shown where models are, and not among the data", async () => {
  const row: TransferRow = { ...PUSH, cargo: "model", name: "churn/4", remote: "team", what: "weights.bin" };
  const bar = await open("/models", row);
  expect(bar.getAttribute("aria-label")).toBe("Push churn/4 to team");
  expect(screen.getByText("weights.bin, 13.6 MB of 61.4 MB")).toBeTruthy();
  fireEvent.click(screen.getByRole("link", { name: /^Data/ }));
  await screen.findByRole("button", { name: "Add data" }, PATIENT);
  expect(screen.queryByRole("progressbar")).toBeNull();
  fireEvent.click(screen.getByRole("link", { name: /^Remotes/ }));
  await screen.findByRole("progressbar", {}, PATIENT);
  fireEvent.click(screen.getByRole("button", { name: "Stop: Push churn/4 to team" }));
  await vi.waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull(), PATIENT);
}, 30_000);

test("the dialog that pushes a model shows how far it is, and a stop there is no failure", async () => {
  window.location.hash = "#/models/flight-delays/3";
  useThisHost(mockHost());
  show();
  const push = await screen.findByRole("button", { name: "Push" }, PATIENT);
  await vi.waitFor(() => expect(push).toHaveProperty("disabled", false), PATIENT);
  fireEvent.click(push);
  fireEvent.click(await screen.findByRole("button", { name: "Push to team" }, PATIENT));
  const dialog = within(screen.getByRole("dialog"));
  const name = "Stop: Push flight-delays/3 to team";
  fireEvent.click(await dialog.findByRole("button", { name }, PATIENT));
  await vi.waitFor(() => expect(dialog.queryByRole("progressbar")).toBeNull(), PATIENT);
  expect(dialog.queryByRole("alert")).toBeNull();
  expect(dialog.getByRole("button", { name: "Push to team" })).toHaveProperty("disabled", false);
}, 30_000);

test("commits on their way are counted in objects, and a stop there says that nothing was changed", async () => {
  const what = "Received 12 of 340 objects";
  const row: TransferRow = { ...PUSH, direction: "pull", cargo: "commits", remote: "origin", what };
  const bar = await open("/overview", { ...row, done: 12, total: 340 });
  expect(bar.getAttribute("aria-label")).toBe("Pull commits from origin");
  expect(bar.getAttribute("aria-valuenow")).toBe("4");
  expect(screen.getByText(what)).toBeTruthy();
  fireEvent.click(await screen.findByRole("button", { name: "Pull" }, PATIENT));
  fireEvent.click(screen.getByRole("button", { name: "Stop: Pull commits from origin" }));
  await screen.findByText("Stopped. Nothing was changed.", {}, PATIENT);
  await vi.waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull(), PATIENT);
}, 30_000);

test("each kind of transfer says what goes where", () => {
  const of = (part: Partial<TransferRow>) => title({ ...PUSH, ...part });
  expect(of({})).toBe("Push to the default remote");
  expect(of({ cargo: "image", name: "small", remote: "images" })).toBe("Push the image of small to images");
  expect(of({ direction: "pull", cargo: "model", name: "birds@prod", remote: "team" })).toBe(
    "Pull birds@prod from team",
  );
  expect(of({ direction: "sync", cargo: "runs", remote: "team" })).toBe("Sync with team");
  expect(of({ cargo: "commits", remote: "origin" })).toBe("Push commits to origin");
  expect(of({ direction: "pull", cargo: "commits", name: "churn", remote: "box:churn.git" })).toBe(
    "Clone churn from box:churn.git",
  );
});

test("what is not known has no share, and what was sent twice is no more than all", () => {
  expect(share({ done: 0, total: 0 })).toBeNull();
  expect(share({ done: 1, total: 3 })).toBe(33);
  expect(share({ done: 4, total: 3 })).toBe(100);
});
