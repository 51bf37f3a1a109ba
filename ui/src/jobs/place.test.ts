import { expect, test } from "vitest";
import { placeWords } from "./place";

test("a job elsewhere is named by its machine, and not by how it runs there", () => {
  expect(placeWords({ on: "gpu-cluster", target: "process" })).toBe("On gpu-cluster");
  expect(placeWords({ on: null, target: "docker" })).toBe("In Docker");
  expect(placeWords({ on: null, target: "process" })).toBe("As a process");
});
