import { afterEach, expect, test } from "vitest";
import { type Host, ReportError, useThisHost } from "../host";
import { callTrusted, createQueryClient, markStale, setTrustAsker, staleTags } from "./client";
import { CHANGES } from "./generated";

const silent: Host = {
  kind: "mock",
  rpc: async () => ({}),
  onChanges: () => () => undefined,
  pickFolder: async () => null,
  pickFile: async () => null,
  openExternal: async () => undefined,
  notify: async () => undefined,
  reveal: async () => undefined,
  reportError: () => undefined,
};

afterEach(() => setTrustAsker(null));

test("every noun of the contract has its row in the table of what goes stale", () => {
  const still = new Set(["doctor.check", "find"]);
  const asked = Object.entries(CHANGES).filter(([name, tags]) => tags.length === 0 && !still.has(name));
  for (const [name] of asked) expect(staleTags(name), name).not.toEqual([]);
});

test("a change marks the queries it concerns and leaves the others", () => {
  const client = createQueryClient();
  client.setQueryData(["runs.list", {}], []);
  client.setQueryData(["remotes.list", {}], []);
  markStale(client, ["runs"]);
  expect(client.getQueryState(["runs.list", {}])?.isInvalidated).toBe(true);
  expect(client.getQueryState(["remotes.list", {}])?.isInvalidated).toBe(false);
});

test("an untrusted project asks once and then does what was asked", async () => {
  const calls: string[] = [];
  let trusted = false;
  useThisHost({
    ...silent,
    rpc: async (name) => {
      calls.push(name);
      if (!trusted)
        throw new ReportError({ code: "conflict", name: "project.untrusted", message: "no", hint: null });
      return { run_id: "r", stages: [] };
    },
  });
  setTrustAsker(async () => {
    trusted = true;
    return true;
  });
  const input = { project: "/p", stages: [], force: false, target: "process" as const, set: [] };
  await expect(callTrusted("pipeline.run", input)).resolves.toMatchObject({ run_id: "r" });
  expect(calls).toEqual(["pipeline.run", "pipeline.run"]);
});

test("without trust nothing runs", async () => {
  useThisHost({
    ...silent,
    rpc: async () => {
      throw new ReportError({ code: "conflict", name: "project.untrusted", message: "no", hint: null });
    },
  });
  setTrustAsker(async () => false);
  const input = { project: "/p", stages: [], force: false, target: "process" as const, set: [] };
  await expect(callTrusted("pipeline.run", input)).rejects.toThrow("no");
});
