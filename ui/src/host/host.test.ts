import { afterEach, expect, test, vi } from "vitest";
import { httpHost, takeToken } from "./http";
import { isReport, ReportError, toReport } from "./index";

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

test("the token leaves the address and the place stays", () => {
  expect(takeToken("#token=abc")).toEqual({ token: "abc", rest: "" });
  expect(takeToken("#/runs/1")).toEqual({ token: null, rest: "#/runs/1" });
  expect(takeToken("#token=a%2Bb&/runs")).toEqual({ token: "a+b", rest: "#/runs" });
});

test("a refusal keeps its sentence and its hint", async () => {
  const report = { code: "conflict", name: "project.untrusted", message: "not yet", hint: "Trust it first." };
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify(report), { status: 409 }));
  const refused = await httpHost()
    .rpc("pipeline.run", {})
    .catch((thrown: unknown) => thrown);
  expect(refused).toBeInstanceOf(ReportError);
  expect(toReport(refused)).toEqual(report);
});

test("a silent server is a sentence, not a stack", async () => {
  vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("Failed to fetch")));
  const failed = await httpHost()
    .rpc("status.get", {})
    .catch((thrown: unknown) => thrown);
  expect(toReport(failed)).toMatchObject({ name: "ui.unreachable", message: "Lapwing does not answer" });
  expect(isReport(null)).toBe(false);
});
