import { expect, test } from "vitest";
import { originWords, synced } from "./kinds";

test("a file in a hidden folder of the home is shown from there", () => {
  expect(originWords({ by: "found", file: "/home/me/.ssh/config" })).toBe("~/.ssh/config");
  expect(originWords({ by: "found", file: "HF_TOKEN" })).toBe("HF_TOKEN");
  expect(originWords({ by: "workspace" })).toBe("you");
});

test("a sync says what moved, and when nothing did", () => {
  const none = {
    runs_pushed: [],
    runs_pulled: [],
    versions_pushed: [],
    versions_pulled: [],
    files: 0,
    bytes: 0,
  };
  expect(synced(none, { name: "team" })).toBe("Here and team are the same: nothing moved");
  expect(synced({ ...none, runs_pushed: ["a", "b"], versions_pulled: ["team:m/1"] }, { name: "team" })).toBe(
    "Moved 2 runs to team, 1 version from there",
  );
});
