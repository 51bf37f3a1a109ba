import { expect, test } from "vitest";
import { hasEndpoint, originWords, synced, takesSecret } from "./kinds";

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

test("buckets have an endpoint, and what has no keys of its own takes a secret", () => {
  expect(["s3://b/p", "gs://b"].every(hasEndpoint)).toBe(true);
  expect(["/mnt/share", "azure://c", "ssh://box/p"].some(hasEndpoint)).toBe(false);
  expect(["s3://b", "azure://c", "https://h/p"].every(takesSecret)).toBe(true);
  expect(["/mnt/share", "ssh://box/p"].some(takesSecret)).toBe(false);
});
