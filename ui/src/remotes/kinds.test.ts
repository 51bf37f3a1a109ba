import { expect, test } from "vitest";
import { originWords } from "./kinds";

test("a file in a hidden folder of the home is shown from there", () => {
  expect(originWords({ by: "found", file: "/home/me/.ssh/config" })).toBe("~/.ssh/config");
  expect(originWords({ by: "found", file: "HF_TOKEN" })).toBe("HF_TOKEN");
  expect(originWords({ by: "workspace" })).toBe("you");
});
